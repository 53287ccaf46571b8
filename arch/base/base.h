#pragma once

// Front door of arch/base/: what every module leans on: errors, random streams, strict YAML,
// checksums, threads.
//
//   YamlReader config = YamlReader::parse_file("vww.yaml");
//   const int population = config.map("search").integer("population", {2, 100000}, 100);
//   RandomStream stream(/*seed=*/1, "search/generation/3");
//   throw InputError("vww.yaml:4:3: stages: must not be empty");

#include "arch/base/byte_size.h"    // IWYU pragma: export
#include "arch/base/checksum.h"     // IWYU pragma: export
#include "arch/base/error.h"        // IWYU pragma: export
#include "arch/base/input_file.h"   // IWYU pragma: export
#include "arch/base/parallel.h"     // IWYU pragma: export
#include "arch/base/random.h"       // IWYU pragma: export
#include "arch/base/yaml_reader.h"  // IWYU pragma: export
