// node check.mjs INSTALL_DIR CASE_DIR REFERENCE_DIR
//
// Compares LiteRT's outputs for the case's test images with those of the integer reference: REFERENCE_DIR/litert,
// computed with LiteRT's arithmetic, and REFERENCE_DIR/deployed where it is there. Exit status 1 when they differ by
// more than an exported model may.

import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {loadRuntime, runImages} from './litert_runtime.mjs';

const LEAST_SAME_ARG_MAX = 0.99;
const LARGEST_ACCURACY_DIFFERENCE = 0.002;

const asInt8 = (path) => {
  const bytes = readFileSync(path);
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
};

const asInt32 = (path) => {
  const bytes = readFileSync(path);
  return new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

const argMax = (values) => values.indexOf(Math.max(...values));

function compare(litertOutputs, reference, labels) {
  const classes = reference.length / labels.length;
  const counts = {same: 0, litertRight: 0, referenceRight: 0, largest: 0, differing: 0};
  litertOutputs.forEach((litert, image) => {
    const expected = reference.subarray(image * classes, (image + 1) * classes);
    for (let i = 0; i < classes; ++i) {
      const difference = Math.abs(litert[i] - expected[i]);
      counts.largest = Math.max(counts.largest, difference);
      counts.differing += difference > 0 ? 1 : 0;
    }
    counts.same += argMax(litert) === argMax(expected) ? 1 : 0;
    counts.litertRight += argMax(litert) === labels[image] ? 1 : 0;
    counts.referenceRight += argMax(expected) === labels[image] ? 1 : 0;
  });
  return counts;
}

function report(arithmetic, counts, images, logits) {
  const percent = (count, of) => `${((100 * count) / of).toFixed(2)} %`;
  console.log(
    `  ${arithmetic} arithmetic: same arg-max ${percent(counts.same, images)}; ` +
      `logits: ${percent(counts.differing, logits)} differ, by at most ${counts.largest}; ` +
      `accuracy LiteRT ${percent(counts.litertRight, images)}, reference ${percent(counts.referenceRight, images)}`);
}

// The names of the limits that are exceeded.
function exceeded(counts, images) {
  const accuracyDifference = Math.abs(counts.litertRight - counts.referenceRight);
  return [
    counts.same < LEAST_SAME_ARG_MAX * images && 'same arg-max on at least 99 %',
    // One image may weigh more than 0.2 points.
    accuracyDifference > Math.max(1, LARGEST_ACCURACY_DIFFERENCE * images) && 'accuracy within 0.2 points',
  ].filter(Boolean);
}

const [installDir, caseDir, referenceDir] = process.argv.slice(2);
const labels = asInt32(join(caseDir, 'labels.bin'));
const ofLiteRt = asInt8(join(referenceDir, 'litert'));
if (labels.length === 0 || ofLiteRt.length === 0 || ofLiteRt.length % labels.length !== 0) {
  console.error(`${caseDir}: ${labels.length} labels do not fit ${ofLiteRt.length} reference logits`);
  process.exit(2);
}
const litert = await loadRuntime(installDir);
const model = new Uint8Array(readFileSync(join(caseDir, 'model.tflite')));
const outputs = await runImages(litert, model, asInt8(join(caseDir, 'inputs.bin'))).catch((error) => {
  console.error(`${caseDir}: LiteRT does not run the model: ${error.message}\n${litert.log.join('\n')}`);
  process.exit(1);
});
if (outputs.length !== labels.length) {
  console.error(`${caseDir}: ${outputs.length} images, ${labels.length} labels`);
  process.exit(2);
}
console.log(`${caseDir}: ${labels.length} images`);
const bits = compare(outputs, ofLiteRt, labels);
report("LiteRT's", bits, labels.length, ofLiteRt.length);
const failures = bits.differing > 0 ? ["LiteRT's logits bit for bit"] : [];
if (existsSync(join(referenceDir, 'deployed'))) {
  const deployed = compare(outputs, asInt8(join(referenceDir, 'deployed')), labels);
  report('the deployed', deployed, labels.length, ofLiteRt.length);
  failures.push(...exceeded(deployed, labels.length));
}
if (failures.length > 0) {
  console.error(`${caseDir}: not as required: ${failures.join('; ')}`);
}
process.exit(failures.length > 0 ? 1 : 0);
