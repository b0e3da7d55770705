#include "gateway/agent/frames.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <vector>

namespace hearth::gateway {
namespace {

const uint8_t kMac[6] = {2, 3, 4, 5, 6, 7};

uint16_t sum16(const uint8_t* data, size_t size, uint32_t sum = 0) {
  for (size_t i = 0; i + 1 < size; i += 2) sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
  if (size % 2) sum += static_cast<uint32_t>(data[size - 1] << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// A frame with an IPv4 packet of `protocol` whose body is `body`.
std::vector<uint8_t> frame(uint8_t protocol, std::vector<uint8_t> body) {
  std::vector<uint8_t> bytes(34);
  bytes[6] = 2;
  bytes[12] = 8;
  bytes[14] = 0x45;
  bytes[17] = static_cast<uint8_t>(20 + body.size());
  bytes[22] = 64;
  bytes[23] = protocol;
  const uint8_t addresses[8] = {10, 0, 0, 1, 10, 0, 0, 2};
  std::copy_n(addresses, 8, bytes.begin() + 26);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

const uint8_t* at(const std::string& text, size_t offset) {
  return reinterpret_cast<const uint8_t*>(text.data()) + offset;
}

TEST(Frames, ArpRequestCarriesTheTagAndAsksForTheTarget) {
  attachment attached{};
  std::copy_n(kMac, 6, attached.mac);
  attached.address = htonl(0x0a000105);
  const std::string request = arp_request(7, attached, htonl(0x0a000101));
  ASSERT_EQ(request.size(), 18u + 28u);
  EXPECT_EQ(request.substr(12, 6), std::string("\x81\x00\x00\x07\x08\x06", 6));
  EXPECT_EQ(request.substr(18 + 14, 4), std::string("\x0a\x00\x01\x05", 4));
  EXPECT_EQ(request.substr(18 + 24, 4), std::string("\x0a\x00\x01\x01", 4));
}

TEST(Frames, HeldUdpPacketGetsItsChecksum) {
  auto held = frame(17, {0, 53, 0, 53, 0, 9, 0xab, 0xcd, 'x'});
  auto finished = finish_packet(held, 5, kMac);
  ASSERT_TRUE(finished);
  const uint8_t* ip = at(*finished, 18);
  EXPECT_EQ(sum16(ip + 20, 9, sum16(ip + 12, 8) + 17 + 9), 0xffff);
  EXPECT_EQ(finished->substr(0, 6), std::string(reinterpret_cast<const char*>(kMac), 6));
}

TEST(Frames, HeldUdpPacketWithoutChecksumKeepsNone) {
  auto finished = finish_packet(frame(17, {0, 53, 0, 53, 0, 9, 0, 0, 'x'}), 5, kMac);
  ASSERT_TRUE(finished);
  EXPECT_EQ(at(*finished, 18)[26], 0);
  EXPECT_EQ(at(*finished, 18)[27], 0);
}

TEST(Frames, PaddingBehindThePacketIsLeftOut) {
  auto held = frame(17, {0, 53, 0, 53, 0, 8, 1, 1});
  held.resize(60);
  EXPECT_EQ(finish_packet(held, 5, kMac)->size(), 18u + 28u);
}

TEST(Frames, RefusesWhatIsNoWholePacket) {
  EXPECT_FALSE(finish_packet({}, 5, kMac));
  auto cut = frame(17, {0, 53, 0, 53, 0, 8, 1, 1});
  cut.pop_back();
  EXPECT_FALSE(finish_packet(cut, 5, kMac));
  EXPECT_FALSE(finish_packet(frame(17, {1}), 5, kMac));
  EXPECT_FALSE(finish_packet(frame(99, {1, 2, 3, 4, 5, 6, 7, 8}), 5, kMac));
}

TEST(Frames, IcmpErrorQuotesThePacketWithGoodChecksums) {
  auto error = icmp_error(frame(17, {0, 53, 0, 53, 0, 8, 1, 1}), 5, htonl(0x64400001), 11, 0);
  ASSERT_TRUE(error);
  const uint8_t* ip = at(*error, 18);
  EXPECT_EQ(sum16(ip, 20), 0xffff);
  EXPECT_EQ(sum16(ip + 20, 8 + 28), 0xffff);
  EXPECT_EQ(ip[16], 10);  // back to the sender
  EXPECT_EQ(ip[19], 1);
  EXPECT_EQ(ip[28], 0x45);
}

TEST(Frames, NoIcmpErrorAboutAnIcmpError) {
  EXPECT_FALSE(icmp_error(frame(1, {3, 1, 0, 0, 0, 0, 0, 0}), 5, 0, 11, 0));
  EXPECT_TRUE(icmp_error(frame(1, {8, 0, 0, 0, 0, 0, 0, 0}), 5, 0, 11, 0));
}

}  // namespace
}  // namespace hearth::gateway
