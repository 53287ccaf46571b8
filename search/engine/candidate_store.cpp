#include "search/engine/candidate_store.h"

#include "arch/base/error.h"
#include "search/base/sealed_json.h"

namespace patchnas {
namespace {

std::string encode_line(const Candidate& candidate, std::string_view run) {
  return seal_json(to_json(candidate), run) + "\n";
}

Candidate decode_line(std::string_view line, const std::string& source, std::string_view run) {
  Candidate candidate = parse_candidate(unseal_json(line, source, run), source);
  if (!candidate.accuracy) {
    throw InputError(source + ": has no accuracy");
  }
  return candidate;
}

}  // namespace

CandidateStore::CandidateStore(std::filesystem::path path, std::string run, StoreAccess access)
    : path_(std::move(path)), run_(std::move(run)) {
  if (std::filesystem::exists(path_)) {
    read(access);
  }
  if (access == StoreAccess::kReadWrite) {
    file_ = std::make_unique<AppendFile>(path_);
  }
}

void CandidateStore::read(StoreAccess access) {
  const std::string text = read_file(path_);
  std::string intact;
  int line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t end = newline == std::string::npos ? text.size() : newline;
    const std::string source = path_.string() + ":" + std::to_string(++line_number);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    try {
      if (newline == std::string::npos) {
        throw InputError(source + ": cut short");
      }
      Candidate candidate = decode_line(line, source, run_);
      intact.append(line).push_back('\n');
      candidates_.emplace(candidate.architecture, std::move(candidate));
    } catch (const InputError& error) {
      warnings_.push_back(error.what() +
                          std::string("; dropped, it will be evaluated again if needed"));
    }
  }
  if (intact.size() != text.size() && access == StoreAccess::kReadWrite) {
    write_file(path_, intact);
  }
}

const Candidate* CandidateStore::find(const Architecture& architecture) const {
  const auto found = candidates_.find(architecture);
  return found == candidates_.end() ? nullptr : &found->second;
}

const Candidate* CandidateStore::find_id(const std::string& id) const {
  for (const auto& [architecture, candidate] : candidates_) {
    if (candidate.id() == id) {
      return &candidate;
    }
  }
  return nullptr;
}

void CandidateStore::add(const Candidate& candidate) {
  file_->append(encode_line(candidate, run_), Durability::kSynced);
  candidates_.emplace(candidate.architecture, candidate);
}

void CandidateStore::arrange(const std::vector<Architecture>& order) {
  std::string text;
  for (const Architecture& architecture : order) {
    text += encode_line(candidates_.at(architecture), run_);
  }
  if (text != read_file(path_)) {
    file_.reset();
    write_file(path_, text);
    file_ = std::make_unique<AppendFile>(path_);
  }
}

std::vector<double> CachingEvaluator::evaluate(std::span<const Candidate> candidates) {
  std::vector<Candidate> unknown;
  for (const Candidate& candidate : candidates) {
    if (store_.find(candidate.architecture) == nullptr) {
      unknown.push_back(candidate);
    }
  }
  if (!unknown.empty()) {
    const std::vector<double> answers = inner_.evaluate(unknown);
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      unknown[i].accuracy = answers[i];
      store_.add(unknown[i]);
    }
  }
  std::vector<double> accuracies;
  for (const Candidate& candidate : candidates) {
    accuracies.push_back(*store_.find(candidate.architecture)->accuracy);
  }
  return accuracies;
}

}  // namespace patchnas
