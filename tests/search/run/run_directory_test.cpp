#include "search/run/run_directory.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <unistd.h>
#include <utility>

#include <sys/mount.h>
#include <sys/stat.h>

#include <sched.h>

#include "search/base/files.h"
#include "search/base/sealed_json.h"
#include "search/run/checkpoint.h"
#include "search/run/stage.h"
#include "tests/search/support.h"

namespace patchnas {
namespace {

/// For root, whom permissions do not bind, a mount in a namespace of this process's own.
class ReadOnlyFolder {
 public:
  explicit ReadOnlyFolder(std::filesystem::path path) : path_(std::move(path)) {
    if (::geteuid() != 0) {
      ::chmod(path_.c_str(), 0555);
      return;
    }
    const char* const folder = path_.c_str();
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount(folder, folder, nullptr, MS_BIND, nullptr) == 0;
    if (!mounted_ ||
        ::mount("none", folder, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      why_not_ = std::string("root cannot mount a folder read-only here: ") + std::strerror(errno);
    }
  }
  ReadOnlyFolder(const ReadOnlyFolder&) = delete;
  ReadOnlyFolder& operator=(const ReadOnlyFolder&) = delete;
  ~ReadOnlyFolder() {
    if (mounted_) {
      ::umount2(path_.c_str(), MNT_DETACH);
    } else {
      ::chmod(path_.c_str(), 0755);
    }
  }
  /// "" if it is read-only now.
  [[nodiscard]] const std::string& why_not() const { return why_not_; }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
  std::string why_not_;
};

class RunDirectoryTest : public testing::Test {
 protected:
  RunDirectoryTest() { place(folder_.path() / "runs"); }
  void place(const std::filesystem::path& output) {
    config_.output = output.string();
    config_.data.cache = config_.output + "/cache";
  }
  [[nodiscard]] std::filesystem::path path() const { return config_.run_directory(); }

  TestFolder folder_;
  Config config_ = small_config();
};

TEST_F(RunDirectoryTest, KeepsConfigurationAndStatus) {
  {
    RunDirectory run = RunDirectory::start(config_);
    EXPECT_FALSE(run.resumed());
    run.set_status(StageId::kTrainLargest, StageStatus::kDone);
    run.set_status(StageId::kTrainSupernet, StageStatus::kRunning);
  }
  const RunDirectory run = RunDirectory::resume(path());
  EXPECT_TRUE(run.resumed());
  EXPECT_EQ(run.config(), config_);
  EXPECT_EQ(run.status(StageId::kTrainLargest), StageStatus::kDone);
  EXPECT_EQ(run.status(StageId::kTrainSupernet), StageStatus::kRunning);
  EXPECT_EQ(run.status(StageId::kSearch), StageStatus::kPending);
}

TEST_F(RunDirectoryTest, HoldsTheStagesOfItsRecipe) {
  config_.training.recipe = TrainingRecipe::kStandalone;
  config_.training.architecture = smallest(config_.space);
  {
    RunDirectory run = RunDirectory::start(config_);
    run.set_status(StageId::kFinetune, StageStatus::kRunning);
  }
  const std::string status = contents(path() / "run.json");
  EXPECT_EQ(status.find("train_supernet"), std::string::npos);
  EXPECT_NE(status.find(R"("finetune": "running")"), std::string::npos);
  const RunDirectory run = RunDirectory::resume(path());
  EXPECT_EQ(run.config(), config_);
  EXPECT_EQ(run.status(StageId::kFinetune), StageStatus::kRunning);
  EXPECT_EQ(run.status(StageId::kTrainSupernet), StageStatus::kPending);
}

TEST_F(RunDirectoryTest, TheSameCommandAgainResumes) {
  { const RunDirectory run = RunDirectory::start(config_); }
  EXPECT_TRUE(RunDirectory::start(config_).resumed());
}

TEST_F(RunDirectoryTest, GoesOnWithOtherThreadsAndAnotherDevice) {
  config_.threads = 2;
  { const RunDirectory run = RunDirectory::start(config_); }
  config_.threads = 5;
  config_.device = DeviceChoice::kCpu;
  EXPECT_EQ(RunDirectory::start(config_).config(), config_);
  const RunDirectory again = RunDirectory::resume(path(), {"threads=7", "device=cuda"});
  EXPECT_EQ(again.config().threads, 7);
  EXPECT_EQ(again.config().device, DeviceChoice::kCuda);
}

TEST_F(RunDirectoryTest, RefusesThreadsThatAreNone) {
  { const RunDirectory run = RunDirectory::start(config_); }
  EXPECT_THROW(RunDirectory::resume(path(), {"threads=-1"}), InputError);
}

TEST_F(RunDirectoryTest, AnotherConfigurationIsRefusedByItsFirstDifference) {
  { const RunDirectory run = RunDirectory::start(config_); }
  Config other = config_;
  other.training.supernet.epochs = 3;
  EXPECT_EQ(message_of([&] { RunDirectory::start(other); }),
            path().string() +
                ": holds a run of another configuration (training.supernet.epochs: 60 and 3); "
                "continue it with "
                "--resume, or choose another name with --set name=NAME");
}

TEST_F(RunDirectoryTest, NothingIsWrittenBesideAnotherConfiguration) {
  Config other = config_;
  ++other.seed;
  make_directory(path());
  write_file(path() / "config.yaml", to_yaml(other));
  EXPECT_THROW(RunDirectory::start(config_), InputError);
  EXPECT_FALSE(std::filesystem::exists(path() / "run.json"));
  write_file(path() / "config.yaml", to_yaml(config_));
  EXPECT_EQ(RunDirectory::start(config_).config().seed, config_.seed);
}

TEST_F(RunDirectoryTest, InUseNamesTheHolder) {
  const RunDirectory run = RunDirectory::start(config_);
  const std::string message = message_of([&] { RunDirectory::resume(path()); });
  EXPECT_EQ(message.find(path().string() + ": this run directory is in use by process " +
                         std::to_string(::getpid())),
            0U)
      << message;
}

TEST_F(RunDirectoryTest, OtherContentIsNotTouched) {
  make_directory(path());
  write_file(path() / "thesis.tex", "important");
  EXPECT_EQ(message_of([&] { RunDirectory::start(config_); }),
            path().string() +
                ": this folder has other content and is not a run directory; choose another name");
  EXPECT_EQ(message_of([&] { RunDirectory::resume(path()); }),
            path().string() + ": not a run directory: it has no config.yaml");
}

TEST_F(RunDirectoryTest, AStartThatWasKilledEarlyIsStartedAgain) {
  make_directory(path());
  write_file(path() / "lock", "process 1 on nowhere");
  write_file(path() / "config.yaml.tmp", "half a confi");
  const RunDirectory run = RunDirectory::start(config_);
  EXPECT_EQ(run.config(), config_);
  EXPECT_FALSE(std::filesystem::exists(path() / "config.yaml.tmp"));
}

TEST_F(RunDirectoryTest, LinksAreRefusedAndNothingIsWrittenThroughThem) {
  { const RunDirectory run = RunDirectory::start(config_); }
  const std::filesystem::path elsewhere = folder_.path() / "elsewhere";
  make_directory(elsewhere);
  write_file(elsewhere / "file", "precious");
  const std::filesystem::path intact = folder_.path() / "intact";
  std::filesystem::rename(path(), intact);
  for (const char* name : {"lock", "log.txt", "metrics.jsonl", "run.json", "run.json.tmp",
                           "search/candidates.jsonl", "best", "export", "supernet"}) {
    std::filesystem::remove_all(path());
    std::filesystem::copy(intact, path(), std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(path() / name);
    const bool is_folder = std::filesystem::is_directory(intact / name);
    std::filesystem::create_symlink(is_folder ? elsewhere : elsewhere / "file", path() / name);
    EXPECT_EQ(message_of([&] { RunDirectory::resume(path()); }),
              (path() / name).string() +
                  ": is a symbolic link; a run directory holds only files and folders");
    EXPECT_EQ(contents(elsewhere / "file"), "precious");
    const auto files = std::filesystem::directory_iterator(elsewhere);
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << name;
  }
}

TEST_F(RunDirectoryTest, AResumedRunCachesImagesBesideItself) {
  config_.data.cache = (folder_.path() / "elsewhere").string();
  { const RunDirectory run = RunDirectory::start(config_); }
  EXPECT_EQ(RunDirectory::start(config_).config().data.cache, config_.data.cache);
  const RunDirectory run = RunDirectory::resume(path());
  EXPECT_EQ(run.config().data.cache, config_.output + "/cache");
  EXPECT_EQ(run.config().data.finished_caches, std::vector{config_.data.cache});
  EXPECT_EQ(RunDirectory::follow(run.description()).config(), run.config());
}

TEST_F(RunDirectoryTest, AnArchivedRunIsReadAndStaysAsItIs) {
  config_.data.cache = (folder_.path() / "elsewhere").string();
  {
    RunDirectory run = RunDirectory::start(config_);
    run.set_status(StageId::kTrainLargest, StageStatus::kDone);
    write_file(path() / "config.yaml.tmp", "what a kill left");
  }
  const auto all_files = [&] {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path())) {
      files[entry.path().string()] = entry.is_regular_file() ? contents(entry.path()) : "";
    }
    return files;
  };
  const auto before = all_files();
  const ReadOnlyFolder archive(path());
  if (!archive.why_not().empty()) {
    GTEST_SKIP() << archive.why_not();
  }
  RunDirectory run = RunDirectory::read(path());
  EXPECT_TRUE(run.archived());
  EXPECT_FALSE(run.writes());
  EXPECT_EQ(run.status(StageId::kTrainLargest), StageStatus::kDone);
  EXPECT_EQ(run.config().data.cache, "");
  EXPECT_EQ(run.config().data.finished_caches,
            (std::vector{config_.output + "/cache", config_.data.cache}));
  ASSERT_EQ(run.warnings().size(), 1U);
  EXPECT_NE(run.warnings()[0].find(path().string() + ": nothing can be written there ("),
            std::string::npos);
  run.set_status(StageId::kExport, StageStatus::kDone);
  EXPECT_EQ(all_files(), before);
  EXPECT_NE(message_of([&] { RunDirectory::resume(path()); }).find(": cannot "), std::string::npos);
}

TEST_F(RunDirectoryTest, ARunThatCanBeWrittenIsReadAsItIsResumed) {
  { const RunDirectory run = RunDirectory::start(config_); }
  const RunDirectory run = RunDirectory::read(path());
  EXPECT_FALSE(run.archived());
  EXPECT_TRUE(run.writes());
  EXPECT_NE(message_of([&] { RunDirectory::read(path()); }).find("is in use by process "),
            std::string::npos);
}

TEST_F(RunDirectoryTest, ARunThatAnotherProcessWorksOnCanBeLookedAt) {
  EXPECT_FALSE(RunLock::holder(path() / "lock"));
  {
    const RunDirectory run = RunDirectory::start(config_);
    const std::string status = contents(path() / "run.json");
    RunDirectory seen = RunDirectory::look_at(path());
    EXPECT_FALSE(seen.writes());
    ASSERT_EQ(seen.warnings().size(), 1U);
    EXPECT_NE(seen.warnings()[0].find(": nothing can be written there (in use by process "),
              std::string::npos);
    seen.set_status(StageId::kExport, StageStatus::kDone);
    EXPECT_EQ(contents(path() / "run.json"), status);
  }
  EXPECT_TRUE(RunDirectory::look_at(path()).writes());
}

TEST_F(RunDirectoryTest, AnArchivedRunThatAnotherProcessWritesToIsInUse) {
  const RunDirectory run = RunDirectory::start(config_);
  const ReadOnlyFolder archive(path());
  if (!archive.why_not().empty()) {
    GTEST_SKIP() << archive.why_not();
  }
  EXPECT_NE(message_of([&] { RunDirectory::read(path()); }).find("is in use by process "),
            std::string::npos);
}

TEST_F(RunDirectoryTest, AMovedFolderIsStillTheSameRun) {
  { const RunDirectory run = RunDirectory::start(config_); }
  const std::filesystem::path elsewhere = folder_.path() / "elsewhere";
  std::filesystem::rename(config_.output, elsewhere);
  place(elsewhere);
  EXPECT_TRUE(RunDirectory::start(config_).resumed());
  EXPECT_EQ(RunDirectory::resume(path()).config().data.cache, config_.data.cache);
}

TEST_F(RunDirectoryTest, AnUnwritablePlaceIsNamed) {
  write_file(folder_.path() / "file", "");
  config_.output = (folder_.path() / "file").string();
  EXPECT_EQ(message_of([&] { RunDirectory::start(config_); }),
            path().string() + ": cannot be used as a run directory: Not a directory");
  config_.output = "/proc/runs";
  EXPECT_EQ(message_of([&] { RunDirectory::start(config_); }),
            "/proc/runs/small: cannot create the folder: No such file or directory");
}

TEST_F(RunDirectoryTest, AFullDiskIsOneError) {
  std::string message;
  {
    const FullDisk full(64);
    message = message_of([&] { RunDirectory::start(config_); });
  }
  EXPECT_EQ(message, (path() / "config.yaml").string() + ": cannot write: File too large");
  EXPECT_FALSE(RunDirectory::start(config_).resumed()) << "nothing half-written is taken for a run";
}

TEST_F(RunDirectoryTest, WithADamagedStatusFileEveryStageIsGoneThroughAgain) {
  {
    RunDirectory run = RunDirectory::start(config_);
    run.set_status(StageId::kTrainLargest, StageStatus::kDone);
  }
  const std::string intact = contents(path() / "run.json");
  for (std::size_t at = 0; at + 1 < intact.size(); at += 7) {  // all but the last line break
    for (const std::string& damaged :
         {intact.substr(0, at), intact.substr(0, at) + "#" + intact.substr(at + 1)}) {
      overwrite(path() / "run.json", damaged);
      const RunDirectory run = RunDirectory::resume(path());
      ASSERT_EQ(run.warnings().size(), 1U) << damaged;
      EXPECT_EQ(run.warnings()[0].find((path() / "run.json").string() + ": "), 0U);
      EXPECT_EQ(run.status(StageId::kTrainLargest), StageStatus::kPending);
    }
  }
}

TEST_F(RunDirectoryTest, AConfigurationThatChangedIsRefused) {
  { const RunDirectory run = RunDirectory::start(config_); }
  std::string config = contents(path() / "config.yaml");
  config.replace(config.find("seed: 1"), 7, "seed: 3");
  overwrite(path() / "config.yaml", config);
  EXPECT_EQ(message_of([&] { RunDirectory::resume(path()); }),
            (path() / "run.json").string() + ": is not of the " +
                (path() / "config.yaml").string() +
                " beside it: one of them is damaged or was changed since the run began; bring it "
                "back");
}

TEST_F(RunDirectoryTest, AStageWhoseFilesAreDamagedIsRunAgainWithThoseAfterIt) {
  {
    RunDirectory run = RunDirectory::start(config_);
    write_file(run.best_candidate_file(), "{}");
    write_file(run.generation_file(0), "{}");
    // As checkpoints: they end in their own CRC.
    write_file(run.best_weights_file(), encode_checkpoint("best", {1, "weights"}));
    write_file(run.quantised_weights_file(), encode_checkpoint("quantised", {1, "other"}));
    for (const StageId stage : stages_of(config_.training)) {
      run.set_status(stage, StageStatus::kDone);
    }
  }
  const auto redone = [&](const std::string& file, const std::string& bytes) {
    const std::filesystem::path place = folder_.path() / "damaged" / "small";
    std::filesystem::remove_all(place.parent_path());
    make_directory(place.parent_path());
    std::filesystem::copy(path(), place, std::filesystem::copy_options::recursive);
    overwrite(place / file, bytes);
    const RunDirectory run = RunDirectory::resume(place);
    std::vector<StageId> stages;
    for (const StageId stage : stages_of(config_.training)) {
      if (run.status(stage) != StageStatus::kDone) {
        stages.push_back(stage);
      }
    }
    EXPECT_EQ(run.warnings().size(), stages.empty() ? 0U : 1U);
    return stages;
  };
  using enum StageId;
  const std::string weights = contents(path() / "best/weights.ckpt");
  EXPECT_EQ(redone("best/weights.ckpt", weights), std::vector<StageId>{});
  EXPECT_EQ(redone("search/generation_000.json", "{ }"),
            (std::vector{kSearch, kFinetune, kQuantise, kExport}));
  EXPECT_EQ(redone("best/weights.ckpt", contents(path() / "best/quantised.ckpt")),
            (std::vector{kFinetune, kQuantise, kExport}));
  EXPECT_EQ(redone("best/quantised.ckpt", ""), (std::vector{kQuantise, kExport}));
}

TEST_F(RunDirectoryTest, DamagedMetricsAreDroppedWithOneLine) {
  {
    RunDirectory run = RunDirectory::start(config_);
    for (int step = 1; step <= 3; ++step) {
      run.metrics().write("train_largest", step, {{"loss", 1.0 / step}});
    }
  }
  std::string text = contents(path() / "metrics.jsonl");
  text.replace(text.find("0.5"), 3, "0.4");
  overwrite(path() / "metrics.jsonl", text);
  const RunDirectory run = RunDirectory::resume(path());
  ASSERT_EQ(run.warnings().size(), 1U);
  EXPECT_EQ(run.warnings()[0], (path() / "metrics.jsonl").string() +
                                   ":2: damaged: its checksum does not agree; damaged records are "
                                   "dropped");
  EXPECT_EQ(contents(path() / "metrics.jsonl").find("\"step\":2"), std::string::npos);
}

TEST_F(RunDirectoryTest, MetricsOfAStageThatRanAgainAreBroughtIntoPlace) {
  RunDirectory run = RunDirectory::start(config_);
  run.metrics().write("train_largest", 1, {{"loss", 1.0}});
  run.metrics().write("train_supernet", 1, {{"loss", 0.5}});
  const std::string undisturbed = contents(path() / "metrics.jsonl");
  run.metrics().rewind("train_largest", 0);
  run.metrics().write("train_largest", 1, {{"loss", 1.0}});
  EXPECT_NE(contents(path() / "metrics.jsonl"), undisturbed);
  run.set_status(StageId::kTrainSupernet, StageStatus::kDone);
  EXPECT_EQ(contents(path() / "metrics.jsonl"), undisturbed);
}

TEST_F(RunDirectoryTest, MetricsReadAsOfAnUndisturbedRun) {
  std::string undisturbed;
  {
    RunDirectory run = RunDirectory::start(config_);
    for (int step = 1; step <= 5; ++step) {
      run.metrics().write("train_largest", step, {{"loss", 1.0 / step}});
    }
    run.metrics().write("train_supernet", 1, {{"loss", 0.5}});
    undisturbed = contents(path() / "metrics.jsonl");
    run.metrics().write("train_supernet", 2, {{"loss", 0.25}});
  }
  overwrite(path() / "metrics.jsonl",
            contents(path() / "metrics.jsonl") + R"({"stage":"train_super)");
  RunDirectory run = RunDirectory::resume(path());
  run.metrics().rewind("train_supernet", 1);
  EXPECT_EQ(contents(path() / "metrics.jsonl"), undisturbed);
  run.metrics().write("train_supernet", 2, {{"loss", 0.25}});
  EXPECT_EQ(
      contents(path() / "metrics.jsonl"),
      undisturbed +
          seal_json(R"({"stage":"train_supernet","step":2,"loss":0.25})", run_identity(config_)) +
          "\n");
}

class CountingStage : public Stage {
 public:
  CountingStage(StageId stage, std::vector<StageId>& order) : stage_(stage), order_(order) {}
  [[nodiscard]] StageId id() const override { return stage_; }
  void run() override { order_.push_back(stage_); }

 private:
  StageId stage_;
  std::vector<StageId>& order_;
};

TEST_F(RunDirectoryTest, StagesThatAreDoneAreSkipped) {
  RunDirectory run = RunDirectory::start(config_);
  std::vector<StageId> order;
  std::vector<std::unique_ptr<Stage>> stages;
  for (const StageId stage : {StageId::kTrainLargest, StageId::kTrainSupernet, StageId::kExport}) {
    stages.push_back(std::make_unique<CountingStage>(stage, order));
  }
  run.set_status(StageId::kTrainLargest, StageStatus::kDone);
  run_stages(run, stages);
  EXPECT_EQ(order, (std::vector{StageId::kTrainSupernet, StageId::kExport}));
  run_stages(run, stages);
  EXPECT_EQ(order.size(), 2U);
  EXPECT_EQ(run.status(StageId::kExport), StageStatus::kDone);
}

}  // namespace
}  // namespace patchnas
