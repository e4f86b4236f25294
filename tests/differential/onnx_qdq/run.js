// node run.js FOLDER WORK: runs models with ONNX Runtime from FOLDER/node_modules. WORK/runs.txt has one line a run,
// "model level output", level being a graph optimization level of ONNX Runtime (disabled, all). Each is fed
// WORK/inputs.bin, float32 of the shape in WORK/shape.txt, 250 samples at a time; the first output goes to `output`.
const fs = require('fs');
const path = require('path');
const [folder, work] = process.argv.slice(2);
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));
const kBatch = 250;

function floats(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function main() {
  const inputs = floats(path.join(work, 'inputs.bin'));
  const [samples, ...shape] = fs.readFileSync(path.join(work, 'shape.txt'), 'utf8').trim().split(' ').map(Number);
  const size = inputs.length / samples;
  for (const line of fs.readFileSync(path.join(work, 'runs.txt'), 'utf8').split('\n').filter(Boolean)) {
    const [model, level, output] = line.trim().split(' ');
    const session = await ort.InferenceSession.create(model, {graphOptimizationLevel: level, logSeverityLevel: 3});
    const parts = [];
    for (let first = 0; first < samples; first += kBatch) {
      const count = Math.min(kBatch, samples - first);
      const data = inputs.slice(first * size, (first + count) * size);
      const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', data, [count, ...shape])};
      parts.push(Buffer.from(Float32Array.from((await session.run(feeds))[session.outputNames[0]].data).buffer));
    }
    fs.writeFileSync(output, Buffer.concat(parts));
  }
}
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
