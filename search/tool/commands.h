#pragma once

// The subcommands of nas_search, one file each. Each declares its options and runs when they have
// been parsed.

#include <CLI/App.hpp>

namespace patchnas {

/// Without a subcommand: train, search, fine-tune, export, report.
void add_search_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_estimate_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_prepare_command(CLI::App& app);
void add_quantise_command(CLI::App& app);
void add_schedule_command(CLI::App& app);
void add_run_command(CLI::App& app);
void add_verify_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_help_command(CLI::App& app);

}  // namespace patchnas
