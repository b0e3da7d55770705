#include "runtime/packages.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/run_test.h"
#include "runtime/zip_maker_test.h"

namespace hearth::runtime {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

class PackagesTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(outer_);
    reopen();
  }
  void TearDown() override {
    pool_.join();
    fs::remove_all(outer_);
  }
  void reopen() { packages_ = Packages::open(dir_, pool_).value(); }

  template <typename T>
  T run(asio::awaitable<T> call) {
    return hearth::run(loop_, std::move(call));
  }
  Result<PackageInfo> add(const std::string& zip) { return run(packages_->add(zip)); }
  std::set<std::string> names() {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(dir_)) found.insert(entry.path().filename());
    return found;
  }
  fs::path folder_of(const PackageInfo& info) { return fs::path(dir_) / info.digest.str(); }

  fs::path outer_ = fs::temp_directory_path() / ("hearth-packages-test-" + random_hex(12));
  std::string dir_ = outer_ / "packages";
  asio::io_context loop_;
  asio::thread_pool pool_{4};
  std::unique_ptr<Packages> packages_;
};

const std::string kZipBytes = make_zip({{"app.py", "def handler(event, context): return 1\n"}, {"lib/x.py", ""}});

TEST_F(PackagesTest, SoManyAreUnpackedAtOnceAndNoMore) {
  std::vector<Result<PackageInfo>> outcomes;
  for (size_t i = 0; i <= Packages::kMaxAdds; ++i) {
    asio::co_spawn(loop_, packages_->add(kZipBytes),
                   [&](std::exception_ptr, Result<PackageInfo> added) { outcomes.push_back(std::move(added)); });
  }
  loop_.run();
  ASSERT_EQ(outcomes.size(), Packages::kMaxAdds + 1);
  EXPECT_EQ(std::ranges::count_if(outcomes, [](const auto& one) { return one.has_value(); }), Packages::kMaxAdds);
  EXPECT_EQ(outcomes.front().error().kind, Kind::exhausted);  // at once, before any other is done
  EXPECT_TRUE(add(kZipBytes));
}

TEST_F(PackagesTest, APackageIsItsFilesUnderTheZipsDigest) {
  auto info = add(kZipBytes).value();
  EXPECT_EQ(info.digest.str().size(), 64u);
  EXPECT_EQ(info.code_sha256.size(), 44u);
  EXPECT_EQ(info.code_sha256.back(), '=');
  EXPECT_EQ(info.code_size, static_cast<int64_t>(kZipBytes.size()));
  EXPECT_TRUE(fs::exists(folder_of(info) / "lib/x.py"));
  EXPECT_EQ(names(), (std::set<std::string>{info.digest.str(), info.digest.str() + ".zip"}));
  EXPECT_EQ(*run(packages_->zip_of(info.digest)), kZipBytes);
}

TEST_F(PackagesTest, TheDigestIsTheSha256OfTheZip) {
  auto zip = make_zip({{"a", "b"}});
  fs::path file = outer_ / "zip";
  std::ofstream(file) << zip;
  std::string command = "sha256sum " + file.string();
  FILE* sum = ::popen(command.c_str(), "r");
  char hex[65] = {};
  ASSERT_EQ(::fread(hex, 1, 64, sum), 64u);
  ::pclose(sum);
  EXPECT_EQ(add(zip)->digest.str(), hex);
}

TEST_F(PackagesTest, OthersOfTheHostCannotReadCode) {
  struct stat status{};
  ASSERT_EQ(::stat(dir_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  auto info = add(kZipBytes).value();
  ASSERT_EQ(::stat(folder_of(info).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755u) << "the container's user reads it through its mount";
}

TEST_F(PackagesTest, AddingAgainUnpacksNothing) {
  auto info = add(kZipBytes).value();
  auto before = fs::last_write_time(folder_of(info));
  std::ofstream(folder_of(info) / "mark") << "still the same folder";
  EXPECT_EQ(add(kZipBytes)->digest, info.digest);
  EXPECT_TRUE(fs::exists(folder_of(info) / "mark"));
  EXPECT_GE(fs::last_write_time(folder_of(info)), before);
}

TEST_F(PackagesTest, TheSameZipAddedAtOnceIsThereOnce) {
  int added = 0;
  std::set<PackageDigest> digests;
  for (int i = 0; i < 16; ++i) {
    asio::co_spawn(loop_, packages_->add(kZipBytes), [&](std::exception_ptr, Result<PackageInfo> info) {
      if (info) ++added;
      if (info) digests.insert(info->digest);
    });
  }
  loop_.run();
  EXPECT_EQ(added, 16);
  EXPECT_EQ(digests.size(), 1u);
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(PackagesTest, ARefusedZipLeavesNothing) {
  EXPECT_EQ(add("no zip").error().kind, Kind::invalid);
  EXPECT_EQ(add("").error().message, "Uploaded file must be a non-empty zip");
  EXPECT_EQ(add(make_zip({{"fine", "x"}, {"d/e/f", "y"}, {"../evil", "z"}})).error().kind, Kind::invalid);
  EXPECT_TRUE(names().empty());
}

TEST_F(PackagesTest, RefusesABombAndAnOversizeZip) {
  auto bomb = make_bomb(Packages::kMaxUnpacked + 1);
  ASSERT_LT(bomb.size(), 1'000'000u);
  EXPECT_EQ(add(bomb).error().message, "Unzipped size must be smaller than 262144000 bytes");
  EXPECT_EQ(add(std::string(Packages::kMaxZip + 1, 'x')).error().kind, Kind::invalid);
  EXPECT_TRUE(names().empty());
}

TEST_F(PackagesTest, ZipOfRefusesWhatIsNoDigest) {
  EXPECT_EQ(run(packages_->zip_of(PackageDigest("../../etc/passwd"))).error().kind, Kind::invalid);
  EXPECT_EQ(run(packages_->zip_of(PackageDigest(std::string(64, 'a')))).error().kind, Kind::not_found);
}

TEST_F(PackagesTest, CollectRemovesWhatIsUnusedAndWhatWasInterrupted) {
  auto used = add(kZipBytes).value();
  auto unused = add(make_zip({{"other", ""}})).value();
  fs::create_directories(fs::path(dir_) / ".new-0123-1/half");
  std::ofstream(fs::path(dir_) / ".new-0123-1.zip") << "half";
  reopen();  // another process: what was added before is not spared
  EXPECT_TRUE(run(packages_->collect({used.digest})));
  EXPECT_EQ(names(), (std::set<std::string>{used.digest.str(), used.digest.str() + ".zip"}));
  EXPECT_EQ(*run(packages_->zip_of(used.digest)), kZipBytes);
  EXPECT_EQ(run(packages_->zip_of(unused.digest)).error().kind, Kind::not_found);
}

TEST_F(PackagesTest, CollectSparesOnceWhatWasAddedSince) {
  auto info = add(kZipBytes).value();
  EXPECT_TRUE(run(packages_->collect({})));
  EXPECT_EQ(names().size(), 2u) << "its function may be about to be recorded";
  EXPECT_TRUE(run(packages_->collect({})));
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(add(kZipBytes)->digest, info.digest);
  EXPECT_TRUE(fs::exists(folder_of(info) / "app.py"));
}

TEST_F(PackagesTest, APackageWithoutItsZipIsMadeWhole) {
  auto info = add(kZipBytes).value();
  fs::remove(dir_ + "/" + info.digest.str() + ".zip");
  EXPECT_TRUE(add(kZipBytes));
  EXPECT_EQ(*run(packages_->zip_of(info.digest)), kZipBytes);
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(PackagesTest, TakesThousandsOfSmallFiles) {
  std::vector<ZipEntry> entries;
  for (int i = 0; i < 5000; ++i) {
    entries.push_back({"lib/p" + std::to_string(i % 100) + "/m" + std::to_string(i) + ".py", std::string(800, 'x')});
  }
  auto start = std::chrono::steady_clock::now();
  auto info = add(make_zip(entries)).value();
  RecordProperty("ms", static_cast<int>((std::chrono::steady_clock::now() - start) / std::chrono::milliseconds(1)));
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_of(info))) {
    if (entry.is_regular_file() && entry.file_size() == 800) ++files;
  }
  EXPECT_EQ(files, 5000u);
}

}  // namespace
}  // namespace hearth::runtime
