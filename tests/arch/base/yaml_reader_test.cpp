#include "arch/base/yaml_reader.h"

#include <gtest/gtest.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

YamlReader reader(const std::string& text) { return YamlReader::parse_text(text, "c.yaml"); }

TEST(YamlReader, ReadsAndFallsBack) {
  YamlReader config = reader("a: 3\nb: {c: 2.5, d: [1, 2]}\ne: 64KiB\nf: true\n");
  EXPECT_EQ(config.integer("a", {1, 5}), 3);
  EXPECT_EQ(config.integer("absent", {1, 5}, 4), 4);
  YamlReader b = config.map("b");
  EXPECT_DOUBLE_EQ(b.number("c"), 2.5);
  EXPECT_EQ(b.integers("d"), (std::vector<int>{1, 2}));
  EXPECT_NO_THROW(b.finish());
  EXPECT_EQ(config.bytes("e"), 65536);
  EXPECT_TRUE(config.boolean("f"));
  EXPECT_NO_THROW(config.optional_map("absent_map").finish());
  EXPECT_NO_THROW(config.finish());
}

TEST(YamlReader, EveryErrorIsOneLineWithItsPlace) {
  EXPECT_EQ(error_of([] { reader("a: [1"); }).substr(0, 27), "c.yaml:1:1: not valid YAML:");
  EXPECT_EQ(error_of([] { reader("a: 1\n---\nb: 2\n"); }),
            "c.yaml:3:1: a second YAML document begins here; allowed: one");
  EXPECT_EQ(error_of([] { reader("---\na: 1\n...\n"); }), "accepted");
  EXPECT_EQ(error_of([] { reader("---\na: 1\n---\n"); }), "accepted");
  EXPECT_EQ(error_of([] { reader("{a: 1} b\n"); }),
            "c.yaml:1:8: a second YAML document begins here; allowed: one");
  EXPECT_EQ(error_of([] { reader("{a: 1}, b\n"); }),
            "c.yaml:1:7: nothing may stand behind the document's end");
  EXPECT_EQ(error_of([] { reader("just text"); }), "c.yaml: must be a mapping of keys to values");
  EXPECT_EQ(error_of([] { reader("a: 3.5").integer("a"); }),
            "c.yaml:1:4: a: must be a whole number, not '3.5'");
  EXPECT_EQ(error_of([] { reader("a: [1, x]").integers("a"); }),
            "c.yaml:1:8: a[1]: must be a whole number, not 'x'");
  EXPECT_EQ(error_of([] { reader("a: 9").integer("a", {.max = 8}); }),
            "c.yaml:1:4: a: 9 is out of range; allowed: 8 or less");
  EXPECT_EQ(error_of([] {
              reader("a: .nan").number("a", {0.0, 1.0});
            }),
            "c.yaml:1:4: a: .nan is out of range; allowed: 0 to 1");
  EXPECT_EQ(error_of([] {
              reader("a: red").choice("a", {"green", "blue"});
            }),
            "c.yaml:1:4: a: 'red' is unknown; allowed: green, blue");
  EXPECT_EQ(
      error_of([] { reader("a: 3 kB").bytes("a"); }),
      "c.yaml:1:4: a: must be a number of bytes, as 65536, 64KiB, 0.5MiB or 1GiB, not '3 kB'");
  EXPECT_EQ(error_of([] { reader("a: 1").map("a"); }),
            "c.yaml:1:4: a: must be a mapping of keys to values");
  EXPECT_EQ(error_of([] { reader("a: 1").integer("b"); }), "c.yaml:1:1: b: is missing");
  EXPECT_EQ(error_of([] { YamlReader::parse_file("does/not/exist.yaml"); }),
            "does/not/exist.yaml: cannot open: No such file or directory");
}

TEST(YamlReader, UnknownAndRepeatedKeysAreErrors) {
  const auto finish = [](const std::string& text) {
    return error_of([&] {
      YamlReader config = reader(text);
      config.integer("population", {}, 1);
      config.integer("seed", {}, 1);
      config.finish();
    });
  };
  EXPECT_EQ(finish("seed: 1\npopulaton: 2\n"),
            "c.yaml:2:1: populaton: unknown key; did you mean 'population'?");
  EXPECT_EQ(finish("zebra: 2\n"), "c.yaml:1:1: zebra: unknown key; allowed: population, seed");
  EXPECT_EQ(finish("seed: 1\nseed: 2\n"), "c.yaml:2:1: seed: is given twice");
}

TEST(YamlReader, AssignmentsOverrideAndAreNamedInErrors) {
  YamlReader config = reader("search: {population: 10}\n");
  config.assign("search.population=20");
  config.assign("target.sram=32KiB");
  EXPECT_EQ(config.map("search").integer("population"), 20);
  EXPECT_EQ(config.map("target").bytes("sram"), 32768);
  config.assign("search.population=many");
  EXPECT_EQ(error_of([&] { config.map("search").integer("population"); }),
            "--set search.population=many: search.population: must be a whole number, not 'many'");
  EXPECT_EQ(error_of([&] { config.assign("population"); }),
            "--set population: must have the form key=value, for example search.population=50");
  EXPECT_EQ(error_of([&] { config.assign("search.population.x=1"); }),
            "--set search.population.x=1: there is no key 'search.population.x'");
  EXPECT_EQ(error_of([&] { config.assign("search.population=1\n---\n2"); }).substr(0, 24),
            "--set search.population=");
}

TEST(YamlReader, KeysThatAnAssignmentMadeAreBlamedOnIt) {
  YamlReader config = reader("training: {epochs: 10}\n");
  config.assign("trainig.epochs=20");
  config.optional_map("training").integer("epochs");
  EXPECT_EQ(error_of([&] { config.finish(); }),
            "--set trainig.epochs=20: trainig: unknown key; did you mean 'training'?");
  EXPECT_EQ(error_of([&] { config.map("trainig").integer("batch"); }),
            "--set trainig.epochs=20: trainig.batch: is missing");
}

}  // namespace
}  // namespace patchnas
