// LiteRT for Node.js. The package is made for browsers: it loads its WebAssembly through importScripts, and its
// table of element types lacks int8, which the WebAssembly itself understands.

import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {pathToFileURL} from 'node:url';

const TABLE = 'var DATATYPES = Object.freeze([';
const INT8_ENTRY = '{dtype: "int8", typedArrayConstructor: Int8Array, elementType: ElementType.INT8},';

// A copy of the package's module with int8 in its table, beside the original so that its imports resolve.
function moduleWithInt8(packageDir) {
  const original = readFileSync(join(packageDir, 'dist', 'index.js'), 'utf8');
  if (original.split(TABLE).length !== 2) {
    throw new Error('@litertjs/core has changed: its table of element types is not where it was');
  }
  const copy = join(packageDir, 'dist', 'index_with_int8.mjs');
  writeFileSync(copy, original.replace(TABLE, TABLE + INT8_ENTRY));
  return copy;
}

// What the package expects of its surroundings, with what its WebAssembly prints kept in `log`.
function actAsWorker(require, log) {
  globalThis.self = globalThis;
  globalThis.Module = {print: (line) => log.push(line), printErr: (line) => log.push(line)};
  globalThis.importScripts = (path) => {
    globalThis.ModuleFactory = require(path);
  };
}

// The runtime installed under `installDir`: {loadAndCompile, Tensor, log}, log being what it has printed so far.
export async function loadRuntime(installDir) {
  const packageDir = join(installDir, 'node_modules', '@litertjs', 'core');
  const wasmDir = join(packageDir, 'wasm');
  // The WebAssembly's loader is a CommonJS script in a package that declares ES modules.
  writeFileSync(join(wasmDir, 'package.json'), '{"type": "commonjs"}\n');
  const log = [];
  actAsWorker(createRequire(join(wasmDir, 'package.json')), log);
  const litert = await import(pathToFileURL(moduleWithInt8(packageDir)).href);
  const warn = console.warn;
  console.warn = (...words) => log.push(words.join(' '));  // that there is no GPU
  await litert.loadLiteRt(wasmDir + '/');
  console.warn = warn;
  return {loadAndCompile: litert.loadAndCompile, Tensor: litert.Tensor, log};
}

// Runs int8 images back to back through the model; returns their outputs back to back.
export async function runImages(litert, modelBytes, images) {
  const model = await litert.loadAndCompile(modelBytes, {accelerator: 'wasm'});
  const shape = Array.from(model.getInputDetails()[0].shape);
  const imageBytes = shape.reduce((product, extent) => product * extent, 1);
  const outputs = [];
  for (let begin = 0; begin < images.length; begin += imageBytes) {
    const input = new litert.Tensor(images.slice(begin, begin + imageBytes), shape);
    const results = await model.run(input);
    outputs.push(await results[0].data());
    results.forEach((result) => result.delete());
    input.delete();
  }
  model.delete();
  return outputs;
}
