#pragma once

// Every candidate ever evaluated, on disk: search/candidates.jsonl.
//
//   CandidateStore store(run / "search" / "candidates.jsonl", run_identity(config));
//   CachingEvaluator evaluator(store, supernet_evaluator);
//   evaluator.evaluate(batch);                    // asks the supernet only for what the store does
//   not know

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "search/base/files.h"
#include "search/engine/candidate.h"
#include "search/engine/evaluator.h"

namespace patchnas {

enum class StoreAccess { kReadWrite, kReadOnly };

/// One candidate a line, each with a checksum over the run and the line.
class CandidateStore {
 public:
  /// Reads what is there. Lines that a kill tore, that are damaged otherwise or come from another
  /// run are dropped from the file, with a line in `warnings()`: their candidates are simply
  /// evaluated again.
  /// @param run run_identity() of the configuration
  /// @param access kReadOnly: the file stays as it is, and nothing may be added
  /// @throws InputError if the file cannot be read or written.
  CandidateStore(std::filesystem::path path, std::string run,
                 StoreAccess access = StoreAccess::kReadWrite);

  /// Null if there is none of this architecture.
  [[nodiscard]] const Candidate* find(const Architecture& architecture) const;
  [[nodiscard]] const Candidate* find_id(const std::string& id) const;
  /// On disk when it returns. The candidate must have an accuracy.
  void add(const Candidate& candidate);
  /// Rewrites the file with these candidates in this order, unless it holds just that: what damage
  /// took out and what was evaluated again comes back to its place.
  void arrange(const std::vector<Architecture>& order);

  [[nodiscard]] const std::map<Architecture, Candidate>& candidates() const { return candidates_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void read(StoreAccess access);

  std::filesystem::path path_;
  std::string run_;
  std::map<Architecture, Candidate> candidates_;
  std::vector<std::string> warnings_;
  std::unique_ptr<AppendFile> file_;
};

/// Asks another evaluator only for architectures that the store does not know, and stores the
/// answers.
class CachingEvaluator : public Evaluator {
 public:
  /// Both must outlive it.
  CachingEvaluator(CandidateStore& store, Evaluator& inner) : store_(store), inner_(inner) {}
  std::vector<double> evaluate(std::span<const Candidate> candidates) override;

 private:
  CandidateStore& store_;
  Evaluator& inner_;
};

}  // namespace patchnas
