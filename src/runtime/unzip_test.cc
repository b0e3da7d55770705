#include "runtime/unzip.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/fd.h"
#include "base/ids.h"
#include "runtime/zip_maker_test.h"

namespace hearth::runtime {
namespace {

namespace fs = std::filesystem;

constexpr UnzipLimits kLimits{.unpacked_bytes = 1'000'000, .entries = 100};
constexpr uint32_t kLink = 0120777;
const std::string kCouldNot = "Could not unzip uploaded file. Please check your file, then try to upload again.";

// `outer/package` is where a zip goes; nothing else may ever be in `outer`.
class UnzipTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(package_);
    std::ofstream(outer_ / "secret") << "not yours";
  }
  void TearDown() override { fs::remove_all(outer_); }

  Result<Unzipped> unpack(const std::string& zip, UnzipLimits limits = kLimits) {
    fs::remove_all(package_);
    fs::create_directory(package_);
    Fd folder(::open(package_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto unzipped = unzip(zip, folder.get(), limits);
    EXPECT_EQ(std::distance(fs::directory_iterator(outer_), {}), 2) << "something was written outside";
    EXPECT_EQ(fs::file_size(outer_ / "secret"), 9u);
    return unzipped;
  }
  std::string refusal(const std::vector<ZipEntry>& entries, UnzipLimits limits = kLimits) {
    auto unzipped = unpack(make_zip(entries), limits);
    if (unzipped) return "it was taken";
    EXPECT_EQ(unzipped.error().kind, Kind::invalid);
    return unzipped.error().message;
  }
  std::string text(const std::string& name) {
    std::ifstream file(package_ / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  unsigned mode(const std::string& name) {
    struct stat status{};
    EXPECT_EQ(::lstat((package_ / name).c_str(), &status), 0) << name;
    return status.st_mode & 07777;
  }

  fs::path outer_ = fs::temp_directory_path() / ("hearth-unzip-test-" + random_hex(12));
  fs::path package_ = outer_ / "package";
};

TEST_F(UnzipTest, MakesFilesAndTheFoldersThatNamesImply) {
  auto unzipped = unpack(make_zip({{"app.py", "x = 1\n"}, {"lib/deep/er.py", "y"}, {"empty/", "", 040755}}));
  ASSERT_TRUE(unzipped) << unzipped.error().describe();
  EXPECT_EQ(text("app.py"), "x = 1\n");
  EXPECT_EQ(text("lib/deep/er.py"), "y");
  EXPECT_TRUE(fs::is_directory(package_ / "empty"));
  EXPECT_EQ(unzipped->files, 2u);
  EXPECT_EQ(unzipped->folders, 3u);
  EXPECT_EQ(unzipped->bytes, 7u);
}

TEST_F(UnzipTest, ModesBecomePlainWhateverTheZipOrTheUmaskSay) {
  mode_t before = ::umask(077);
  auto unzipped = unpack(make_zip({{"none", "", 0100000},
                                   {"run", "", 0100700},
                                   {"setuid", "", 0104755},
                                   {"world", "", 0101666},
                                   {"no-type", "", 0644},
                                   {"d/", "", 040000},
                                   {"d/in", "", 0100200}}));
  ::umask(before);
  ASSERT_TRUE(unzipped) << unzipped.error().describe();
  EXPECT_EQ(mode("none"), 0644u);
  EXPECT_EQ(mode("run"), 0755u);
  EXPECT_EQ(mode("setuid"), 0755u);
  EXPECT_EQ(mode("world"), 0644u);
  EXPECT_EQ(mode("no-type"), 0644u);
  EXPECT_EQ(mode("d"), 0755u);
  EXPECT_EQ(mode("d/in"), 0644u);
}

TEST_F(UnzipTest, KeepsModificationTimes) {
  ASSERT_TRUE(unpack(make_zip({{"app.py", "x"}})));
  struct stat status{};
  ASSERT_EQ(::stat((package_ / "app.py").c_str(), &status), 0);
  tm local{};
  ::localtime_r(&status.st_mtime, &local);
  EXPECT_EQ(local.tm_year, 125);
  EXPECT_EQ(local.tm_yday, 0);
}

TEST_F(UnzipTest, RefusesWhatIsNoZip) {
  for (const std::string& bytes : {std::string("hello"), std::string(1000, 'x'), std::string("PK\x03\x04"),
                                   make_zip({{"a", "x"}}).substr(0, 30)}) {
    auto unzipped = unpack(bytes);
    ASSERT_FALSE(unzipped) << bytes.size();
    EXPECT_EQ(unzipped.error().message, kCouldNot);
  }
}

TEST_F(UnzipTest, RefusesAnEmptyZip) { EXPECT_EQ(refusal({}), "Uploaded file must be a non-empty zip"); }

TEST_F(UnzipTest, RefusesNamesThatLeaveThePackage) {
  for (const char* name : {"../secret", "a/../../secret", "/etc/passwd", "..", "a/..", "a/../b", "//x"}) {
    EXPECT_EQ(refusal({{name, "evil"}}), kCouldNot) << name;
  }
}

TEST_F(UnzipTest, NamesWithDotsThatStayInsideAreNames) {
  ASSERT_TRUE(unpack(make_zip({{"./a/./b", "1"}, {"..c", "2"}, {"a//d", "3"}})));
  EXPECT_EQ(text("a/b"), "1");
  EXPECT_EQ(text("..c"), "2");
  EXPECT_EQ(text("a/d"), "3");
}

TEST_F(UnzipTest, RefusesNamesOverTheirLimits) {
  EXPECT_EQ(refusal({{std::string(NAME_MAX + 1, 'n'), ""}}), kCouldNot);
  std::string deep;
  for (size_t i = 0; i < kMaxEntryDepth + 1; ++i) deep += "d/";
  EXPECT_EQ(refusal({{deep + "f", ""}}), kCouldNot);
  std::string wide;
  while (wide.size() <= kMaxEntryName) wide += std::string(200, 'w') + "/";
  EXPECT_EQ(refusal({{wide + "f", ""}}), kCouldNot);
}

TEST_F(UnzipTest, NamesOfAnyEncodingKeepTheirBytes) {
  ASSERT_TRUE(unpack(make_zip({{"caf\xc3\xa9.py", "utf8", 0100644, 1 << 11}, {"caf\xe9.py", "latin1"}})));
  EXPECT_EQ(text("caf\xc3\xa9.py"), "utf8");
  EXPECT_EQ(text("caf\xe9.py"), "latin1");
}

TEST_F(UnzipTest, RefusesANameThatIsNotInItsOwnEncoding) {
  EXPECT_EQ(refusal({{"caf\xe9.py", "", 0100644, 1 << 11}}), kCouldNot);
}

TEST_F(UnzipTest, LinksInsideThePackageAreKept) {
  auto unzipped = unpack(make_zip({{"to-file", "lib/a", kLink},
                                   {"lib/a", "A"},
                                   {"lib/up", "../top", kLink},
                                   {"top", "T"},
                                   {"to-folder", "lib", kLink},
                                   {"through", "to-folder/a", kLink},
                                   {"dangling", "nowhere", kLink}}));
  ASSERT_TRUE(unzipped) << unzipped.error().describe();
  EXPECT_TRUE(fs::is_symlink(package_ / "to-file"));
  EXPECT_EQ(text("to-file"), "A");
  EXPECT_EQ(text("lib/up"), "T");
  EXPECT_EQ(text("through"), "A");
  EXPECT_EQ(unzipped->files, 7u);
}

TEST_F(UnzipTest, RefusesLinksThatLeaveThePackage) {
  for (const char* target : {"/etc/passwd", "../secret", "..", "a/../../secret", "", "/"}) {
    EXPECT_EQ(refusal({{"a/x", "x"}, {"l", target, kLink}}), kCouldNot) << target;
  }
  // "d/here" is the package's own folder, so that `..` behind it is outside, though no name shows it.
  EXPECT_EQ(refusal({{"d/here", "..", kLink}, {"out", "d/here/../secret", kLink}}), kCouldNot);
  EXPECT_EQ(refusal({{"a", "b", kLink}, {"b", "a", kLink}}), kCouldNot) << "a ring";
}

TEST_F(UnzipTest, NothingIsWrittenThroughALink) {
  EXPECT_EQ(refusal({{"l", "..", kLink}, {"l/secret", "evil"}}), kCouldNot);
  EXPECT_EQ(refusal({{"a/x", ""}, {"l", "a", kLink}, {"l/y", "evil"}}), kCouldNot);
  ASSERT_TRUE(unpack(make_zip({{"a", "old"}, {"l", "a", kLink}, {"l", "new"}})));
  EXPECT_FALSE(fs::is_symlink(package_ / "l"));
  EXPECT_EQ(text("l"), "new");
  EXPECT_EQ(text("a"), "old");
}

TEST_F(UnzipTest, RefusesDevicesAndSockets) {
  for (uint32_t type : {0020000u, 0060000u, 0140000u}) {
    EXPECT_EQ(refusal({{"node", "", type | 0644}}), kCouldNot) << std::oct << type;
  }
}

TEST_F(UnzipTest, AFifoIsTheFileThatInfoZipMeansByIt) {
  ASSERT_TRUE(unpack(make_zip({{"piped", "what zip read from the pipe", 0010644}})));
  EXPECT_TRUE(fs::is_regular_file(package_ / "piped"));
}

TEST_F(UnzipTest, RefusesEncryptedEntries) { EXPECT_EQ(refusal({{"a", "sealed bytes", 0100644, 1}}), kCouldNot); }

TEST_F(UnzipTest, RefusesUnknownCompressionAndWrongChecksums) {
  EXPECT_EQ(refusal({{"a", "bytes", 0100644, 0, 77}}), kCouldNot);
  EXPECT_EQ(refusal({{"a", "not deflated", 0100644, 0, 8}}), kCouldNot);
  EXPECT_EQ(refusal({{"a", "bytes", 0100644, 0, 0, 1}}), kCouldNot);
}

TEST_F(UnzipTest, OfANameThatOccursTwiceTheLastHolds) {
  auto unzipped =
      unpack(make_zip({{"a", "first and longer", 0100755}, {"d/", "", 040755}, {"a", "last"}, {"d/", "", 040700}}));
  ASSERT_TRUE(unzipped) << unzipped.error().describe();
  EXPECT_EQ(text("a"), "last");
  EXPECT_EQ(mode("a"), 0644u);
  EXPECT_EQ(unzipped->files, 1u);
  ASSERT_TRUE(unpack(make_zip({{"a", "file"}, {"b", "B"}, {"a", "b", kLink}})));
  EXPECT_EQ(text("a"), "B");
}

TEST_F(UnzipTest, RefusesANameThatIsFileAndFolder) {
  EXPECT_EQ(refusal({{"a", "file"}, {"a/b", "inside"}}), kCouldNot);
  EXPECT_EQ(refusal({{"a/b", "inside"}, {"a", "file"}}), kCouldNot);
  EXPECT_EQ(refusal({{"a/", "", 040755}, {"a", "b", kLink}}), kCouldNot);
  EXPECT_EQ(refusal({{"./", "", 040755}, {".", "file"}}), kCouldNot);
}

TEST_F(UnzipTest, CountsBytesWhileUnpacking) {
  EXPECT_TRUE(unpack(make_bomb(1'000'000)));
  auto unzipped = unpack(make_bomb(1'000'001));
  ASSERT_FALSE(unzipped);
  EXPECT_EQ(unzipped.error().message, "Unzipped size must be smaller than 1000000 bytes");
  // The sum counts, and what a later entry overwrites.
  EXPECT_NE(refusal({{"a", std::string(600'000, 'x')}, {"a", std::string(600'000, 'x')}}), "it was taken");
}

TEST_F(UnzipTest, CountsEntriesWithTheFoldersTheyImply) {
  UnzipLimits limits{.unpacked_bytes = 100, .entries = 4};
  EXPECT_TRUE(unpack(make_zip({{"a/b/c", ""}, {"a/d", ""}}), limits));
  EXPECT_EQ(refusal({{"a/b/c", ""}, {"a/d", ""}, {"e", ""}}, limits), kCouldNot);
  EXPECT_EQ(refusal({{"a/b/c/d/", "", 040755}, {"l", "a", kLink}}, limits), kCouldNot);
}

}  // namespace
}  // namespace hearth::runtime
