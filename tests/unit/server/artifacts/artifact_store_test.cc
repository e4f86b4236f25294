#include "server/artifacts/artifact_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "search/base/digest.h"
#include "search/base/status.h"

namespace bitplan::artifacts {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// SHA-256 of "abc" (FIPS 180-4, appendix B.1).
constexpr char kAbcDigest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class ArtifactStoreTest : public ::testing::Test {
 protected:
  ArtifactStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "bitplan-artifacts-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~ArtifactStoreTest() override { fs::remove_all(root_); }

  std::unique_ptr<ArtifactStore> Open(ArtifactOptions options = {}) {
    options.directory = root_ / "artifacts";
    absl::StatusOr<std::unique_ptr<ArtifactStore>> store = ArtifactStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  int64_t FilesIn(std::string_view folder) const {
    const fs::directory_iterator entries(root_ / "artifacts" / folder);
    return std::distance(begin(entries), end(entries));
  }

  fs::path BlobPath(const std::string& digest) const { return root_ / "artifacts" / "blobs" / digest; }

  fs::path root_;
};

TEST_F(ArtifactStoreTest, KeepsChunkedUploadUnderItsDigest) {
  const auto store = Open();
  const auto upload = *store->BeginUpload();
  ASSERT_TRUE(upload->Append("a").ok());
  ASSERT_TRUE(upload->Append("").ok());
  ASSERT_TRUE(upload->Append("bc").ok());
  EXPECT_EQ(upload->size_bytes(), 3);
  const auto artifact = upload->Finish({.sha256 = kAbcDigest, .size_bytes = 3});
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ(artifact->digest, kAbcDigest);
  EXPECT_EQ(artifact->size_bytes, 3);
  EXPECT_FALSE(artifact->reused);
  EXPECT_EQ(*store->Read(kAbcDigest), "abc");
  EXPECT_EQ(*store->SizeOf(kAbcDigest), 3);
}

TEST_F(ArtifactStoreTest, KeepsBlobsThroughReopen) {
  Open()->Put("abc").IgnoreError();
  const auto store = Open();
  EXPECT_EQ(*store->Read(kAbcDigest), "abc");
  EXPECT_EQ(store->total_bytes(), 3);
}

TEST_F(ArtifactStoreTest, KeepsEmptyBlob) {
  const auto store = Open();
  const auto artifact = store->Put("");
  ASSERT_TRUE(artifact.ok());
  EXPECT_EQ(*store->Read(artifact->digest), "");
}

TEST_F(ArtifactStoreTest, WrongDigestSaysBothAndKeepsNothing) {
  const auto store = Open();
  const std::string other = Sha256Hex("other");
  {
    const auto upload = *store->BeginUpload();
    ASSERT_TRUE(upload->Append("abc").ok());
    const absl::Status status = upload->Finish({.sha256 = other}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(MessageOf(status), HasSubstr(other));
    EXPECT_THAT(MessageOf(status), HasSubstr(kAbcDigest));
  }
  EXPECT_TRUE(absl::IsNotFound(store->Read(kAbcDigest).status()));
  EXPECT_EQ(store->total_bytes(), 0);
  EXPECT_EQ(FilesIn("uploads"), 0);
}

TEST_F(ArtifactStoreTest, WrongSizeSaysBoth) {
  const auto store = Open();
  const auto upload = *store->BeginUpload();
  ASSERT_TRUE(upload->Append("abc").ok());
  const absl::Status status = upload->Finish({.size_bytes = 5}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(MessageOf(status), "size_bytes: 5 bytes were announced, 3 arrived");
}

TEST_F(ArtifactStoreTest, FinishIsForOnce) {
  const auto store = Open();
  const auto upload = *store->BeginUpload();
  ASSERT_TRUE(upload->Finish({}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(upload->Finish({}).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(upload->Append("x")));
}

TEST_F(ArtifactStoreTest, ReusesABlobThatIsThere) {
  const auto store = Open();
  EXPECT_FALSE(store->Put("abc")->reused);
  EXPECT_TRUE(store->Put("abc")->reused);
  EXPECT_EQ(store->total_bytes(), 3);
  EXPECT_EQ(FilesIn("uploads"), 0);
}

TEST_F(ArtifactStoreTest, NamesFromOutsideAreNeverPaths) {
  const auto store = Open();
  std::ofstream(root_ / "secret") << "secret";
  for (const std::string& name :
       {std::string("../../secret"), std::string(), std::string("/etc/passwd"), std::string(63, 'a'),
        std::string(65, 'a'), std::string(64, 'A'), std::string(62, 'a') + "/.", std::string(63, 'a') + '\0'}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store->Read(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->SizeOf(name).status())) << name;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Delete(name))) << name;
  }
}

TEST_F(ArtifactStoreTest, UnfinishedUploadVanishes) {
  const auto store = Open();
  {
    const auto upload = *store->BeginUpload();
    ASSERT_TRUE(upload->Append("abc").ok());
    EXPECT_EQ(FilesIn("uploads"), 1);
    EXPECT_EQ(store->total_bytes(), 3);
  }
  EXPECT_EQ(FilesIn("uploads"), 0);
  EXPECT_EQ(store->total_bytes(), 0);
}

TEST_F(ArtifactStoreTest, OpenRemovesWhatADeadProcessLeft) {
  Open();
  std::ofstream(root_ / "artifacts" / "uploads" / "17") << "half an upload";
  const auto store = Open();
  EXPECT_EQ(FilesIn("uploads"), 0);
  EXPECT_EQ(store->total_bytes(), 0);
}

TEST_F(ArtifactStoreTest, RefusesMoreThanOneUploadMayHave) {
  const auto store = Open({.max_artifact_bytes = 4});
  EXPECT_TRUE(absl::IsResourceExhausted(store->BeginUpload(5).status()));
  const auto upload = *store->BeginUpload();
  ASSERT_TRUE(upload->Append("abcd").ok());
  const absl::Status status = upload->Append("e");
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(MessageOf(status), "upload: 5 bytes so far, the limit for one is 4");
  EXPECT_TRUE(absl::IsFailedPrecondition(upload->Finish({}).status()));
}

TEST_F(ArtifactStoreTest, QuotaCountsBlobsAndUnfinishedUploads) {
  const auto store = Open({.max_total_bytes = 10});
  ASSERT_TRUE(store->Put("1234").ok());
  auto upload = *store->BeginUpload();
  ASSERT_TRUE(upload->Append("56789").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store->BeginUpload(2).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put("xx").status()));
  upload.reset();
  EXPECT_TRUE(store->Put("xx").ok());
}

TEST_F(ArtifactStoreTest, DeleteMakesRoom) {
  const auto store = Open({.max_total_bytes = 3});
  ASSERT_TRUE(store->Put("abc").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put("x").status()));
  ASSERT_TRUE(store->Delete(kAbcDigest).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Delete(kAbcDigest)));
  EXPECT_TRUE(store->Put("x").ok());
}

TEST_F(ArtifactStoreTest, DamagedBlobIsDataLoss) {
  const auto store = Open();
  ASSERT_TRUE(store->Put("abc").ok());
  std::ofstream(BlobPath(kAbcDigest)) << "abd";
  EXPECT_TRUE(absl::IsDataLoss(store->Read(kAbcDigest).status()));
}

TEST_F(ArtifactStoreTest, UploadReplacesATruncatedBlob) {
  const auto store = Open();
  ASSERT_TRUE(store->Put("abc").ok());
  fs::resize_file(BlobPath(kAbcDigest), 1);
  ASSERT_TRUE(store->Put("abc").ok());
  EXPECT_EQ(*store->Read(kAbcDigest), "abc");
}

TEST_F(ArtifactStoreTest, SecondServerIsRefused) {
  const auto store = Open();
  const auto second = ArtifactStore::Open({.directory = root_ / "artifacts"});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(MessageOf(second.status()), HasSubstr(std::to_string(getpid())));
}

TEST_F(ArtifactStoreTest, MissingParentIsAnError) {
  EXPECT_FALSE(ArtifactStore::Open({.directory = root_ / "no" / "such"}).ok());
}

TEST_F(ArtifactStoreTest, FilesAreForTheOwnerOnly) {
  const auto store = Open();
  ASSERT_TRUE(store->Put("abc").ok());
  const fs::perms others = fs::perms::group_all | fs::perms::others_all;
  EXPECT_EQ(fs::status(BlobPath(kAbcDigest)).permissions() & others, fs::perms::none);
  EXPECT_EQ(fs::status(root_ / "artifacts" / "blobs").permissions() & others, fs::perms::none);
}

// Several clients upload the same few blobs, read and delete them; the count of bytes must come out right.
TEST_F(ArtifactStoreTest, ConcurrentUploadsOfEqualBlobsAgree) {
  const auto store = Open();
  std::atomic<int> fresh = 0;
  std::vector<std::jthread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        const std::string bytes(static_cast<size_t>(100 + i), 'x');
        const absl::StatusOr<Artifact> artifact = store->Put(bytes);
        ASSERT_TRUE(artifact.ok()) << artifact.status();
        fresh += artifact->reused ? 0 : 1;
        EXPECT_EQ(*store->Read(artifact->digest), bytes);
      }
    });
  }
  clients.clear();
  EXPECT_EQ(fresh, 10);
  EXPECT_EQ(store->total_bytes(), 10 * 100 + 45);
  EXPECT_EQ(FilesIn("blobs"), 10);
  EXPECT_EQ(FilesIn("uploads"), 0);
}

}  // namespace
}  // namespace bitplan::artifacts
