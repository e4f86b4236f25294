// node forward.js FOLDER MODEL WORK: runs MODEL with ONNX Runtime from FOLDER/node_modules. WORK/inputs.txt has one line an
// input, "name type file dims..", with file the raw little-endian elements. It prints one line an output,
// "name file dims..", float32 elements.
const fs = require('fs');
const path = require('path');
const [folder, model, work] = process.argv.slice(2);
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));
const arrays = {float32: Float32Array, int64: BigInt64Array};

async function main() {
  const session = await ort.InferenceSession.create(model);
  const feeds = {};
  for (const line of fs.readFileSync(path.join(work, 'inputs.txt'), 'utf8').split('\n').filter(Boolean)) {
    const [name, type, file, ...dims] = line.trim().split(' ');
    const bytes = fs.readFileSync(file);
    const data = new arrays[type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    feeds[name] = new ort.Tensor(type, data, dims.map(Number));
  }
  const results = await session.run(feeds);
  let lines = '';
  session.outputNames.forEach((name, i) => {
    const file = path.join(work, `output_${i}.bin`);
    const data = Float32Array.from(results[name].data, Number);
    fs.writeFileSync(file, Buffer.from(data.buffer));
    lines += `${[name, file, ...results[name].dims].join(' ')}\n`;
  });
  process.stdout.write(lines);
}
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
