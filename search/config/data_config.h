#pragma once

// The `data` section of a configuration: which images, and how they are seen.

#include <string>

#include "arch/base/yaml_reader.h"
#include "supernet/data/data_config.h"

namespace patchnas {

/// Where the cache of decoded images lies unless a configuration says: beside the run directories.
/// @param output folder that holds them
std::string default_cache(const std::string& output);

/// What the space decides (classes, channels, resolution) is left out.
/// @param output folder of the run directories
/// @throws InputError with file, line and column.
DataConfig parse_data_config(YamlReader reader, const std::string& output);
/// Every key, resolved; parse_data_config reads it back as an equal config.
std::string to_yaml(const DataConfig& data);

}  // namespace patchnas
