# modelopt.torch.quantization.quantize(model, QUANT_CFG, forward_loop)
QUANT_CFG = {
    "quant_cfg": {
        "default": {"enable": False},
        "stem.weight_quantizer": {"num_bits": 8, "axis": 0, "narrow_range": True, "enable": True},
        "stem.input_quantizer": {"num_bits": 8, "axis": None, "enable": True},
        "model.layers.0.self_attn.q_proj.weight_quantizer": {"num_bits": 4, "block_sizes": {-1: 64, "type": "static"}, "narrow_range": True, "enable": True},
        "model.layers.0.self_attn.q_proj.input_quantizer": {"num_bits": 8, "axis": None, "enable": True},
        "model.layers.0.mlp.up_proj.weight_quantizer": {"num_bits": 5, "axis": 0, "narrow_range": True, "enable": True},
        "model.layers.0.mlp.up_proj.input_quantizer": {"num_bits": 8, "axis": None, "enable": True},
        "model.layers.0.mlp.down_proj.weight_quantizer": {"num_bits": 3, "axis": None, "narrow_range": True, "enable": True},
        "model.layers.0.mlp.down_proj.input_quantizer": {"num_bits": 4, "axis": None, "enable": True},
        "model.layers.1.mlp.up_proj.weight_quantizer": {"num_bits": (2, 1), "block_sizes": {-1: 32, "type": "dynamic", "scale_bits": (8, 0)}, "enable": True},
        "lm_head.weight_quantizer": {"num_bits": (4, 3), "axis": 0, "enable": True},
        "lm_head.input_quantizer": {"num_bits": (4, 3), "axis": None, "enable": True},
    },
    "algorithm": "max",
}
