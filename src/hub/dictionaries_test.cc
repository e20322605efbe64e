#include "hub/dictionaries.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <string>

#include "hub/test_cache.h"
#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

codec::Dictionary dictionary(const std::string& name, const std::string& opening) {
  return codec::Dictionary({name, Bytes(opening.begin(), opening.end()), {}, {}, {}});
}

class Dictionaries : public CacheTest {
 protected:
  template <class Spec>
  static std::string problem_of_finding(const Spec& spec) {
    try {
      find_dictionary(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kModel);
      return error.what();
    }
    return "";
  }
};

TEST_F(Dictionaries, AreFoundByIdentityNameAndFile) {
  const codec::Dictionary one = dictionary("one", "first text\n");
  EXPECT_EQ(find_dictionary(one.identity()), nullptr);
  EXPECT_TRUE(kept_dictionaries().empty());
  const fs::path path = keep_dictionary(one);
  keep_dictionary(one);
  keep_dictionary(dictionary("two", "second text\n"));
  ASSERT_NE(find_dictionary(one.identity()), nullptr);
  EXPECT_EQ(find_dictionary(one.identity())->name(), "one");
  for (const std::string& spec :
       {std::string("one"), codec::identity_text(one.identity()), path.string()}) {
    EXPECT_EQ(find_dictionary(spec)->identity(), one.identity()) << spec;
  }
  EXPECT_NE(problem_of_finding(std::string("three")).find("three"), std::string::npos);
  const auto kept = kept_dictionaries();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].dictionary->name(), "one");
  EXPECT_EQ(kept[1].dictionary->name(), "two");
}

TEST_F(Dictionaries, OfOneNameAreToldApartByTheirIdentity) {
  const codec::Dictionary one = dictionary("same", "first text\n");
  const codec::Dictionary other = dictionary("same", "second text\n");
  keep_dictionary(one);
  keep_dictionary(other);
  const std::string problem = problem_of_finding(std::string("same"));
  EXPECT_NE(problem.find(codec::identity_text(one.identity())), std::string::npos);
  EXPECT_NE(problem.find(codec::identity_text(other.identity())), std::string::npos);
  EXPECT_EQ(find_dictionary(codec::identity_text(other.identity()))->identity(), other.identity());
}

TEST_F(Dictionaries, DamagedOnesAreRefusedAndNamed) {
  const codec::Dictionary one = dictionary("one", "first text\n");
  const fs::path path = keep_dictionary(one);
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_NE(problem_of_finding(one.identity()).find(path.string()), std::string::npos);
  ASSERT_EQ(kept_dictionaries().size(), 1u);
  EXPECT_NE(kept_dictionaries()[0].problem, "");
  // Whole, but not what its name says.
  dictionary("two", "second text\n").save(path.string());
  EXPECT_NE(problem_of_finding(one.identity()).find(path.string()), std::string::npos);
}

TEST_F(Dictionaries, OthersCouldHaveWrittenAreNotUsed) {
  const codec::Dictionary one = dictionary("one", "first text\n");
  const fs::path path = keep_dictionary(one);
  fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(problem_of_finding(one.identity()).find("others may write"), std::string::npos);
  fs::permissions(path, fs::perms::others_write, fs::perm_options::remove);
  fs::permissions(path.parent_path(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_NE(problem_of_finding(one.identity()).find("others may write"), std::string::npos);
  EXPECT_TRUE(kept_dictionaries().empty());
}

}  // namespace
}  // namespace smll::hub
