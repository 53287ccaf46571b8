#pragma once

// How the ranks of a job find each other: a c10d::FileStore in a folder that all of them see, so no
// port and no address has to be known beforehand.
//
//   Rendezvous rendezvous(place, folder, timeout);   // all are there
//   connect(rendezvous.store());
//   rendezvous.end();                                // all are connected
//
// Rank 0 makes the store under a name that no earlier attempt had and leaves the name in a file
// named for the job. What an earlier attempt left there cannot mislead: a rank takes a store for
// its own job's only after rank 0 has repeated a number that the rank drew a moment ago.

#include <chrono>
#include <filesystem>
#include <string_view>

#include <torch/csrc/distributed/c10d/Store.hpp>

#include "supernet/ranks/rank_place.h"

namespace patchnas {

class Rendezvous {
 public:
  /// @throws LostRankError naming the ranks that did not come within `timeout`.
  /// @throws InputError if the folder cannot be written to.
  Rendezvous(const RankPlace& place, const std::filesystem::path& folder,
             std::chrono::milliseconds timeout);
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;
  ~Rendezvous();

  /// Where a store for another purpose can be: not there yet when the constructor has returned.
  static std::filesystem::path file(const RankPlace& place, const std::filesystem::path& folder,
                                    std::string_view purpose);

  [[nodiscard]] const c10::intrusive_ptr<c10d::Store>& store() const { return store_; }
  /// Removes the files. @pre nobody needs the store any more
  void end();

 private:
  void call_the_roll(std::chrono::milliseconds timeout);
  void answer_the_roll(std::chrono::milliseconds timeout);

  RankPlace place_;
  std::filesystem::path name_file_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::filesystem::path store_file_;  // rank 0's; empty: removed
};

}  // namespace patchnas
