// The warden with real containers: needs root, /usr/bin/python3.11 and the shims in the build folder. The network is a
// namespace a slot with only `lo`. The test plays hearthd: the protocol on one side, the Runtime API on the other.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/log.h"
#include "kernel/cgroup.h"
#include "kernel/process.h"
#include "kernel/unix_socket.h"
#include "warden/protocol.h"
#include "warden/warden.h"

namespace hearth::warden {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

constexpr int kPatienceMs = 5'000;
constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// ---- a network of namespaces with only a loopback

class LoopbackNetwork : public gateway::FunctionNetwork {
 public:
  Result<gateway::Slot> make_slot() override {
    gateway::Slot slot;
    slot.number = next_++;
    slot.address = fmt::format("100.64.0.{}", slot.number);
    Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (unshare(CLONE_NEWNET) != 0) return fail_errno("unshare");
    Fd inet(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    int up = ioctl(inet.get(), SIOCSIFFLAGS, &request);
    slot.netns = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (setns(home.get(), CLONE_NEWNET) != 0 || up != 0) return fail_errno("loopback");
    return slot;
  }
  Result<gateway::Slot> adopt_slot(int64_t number, Fd netns) override {
    next_ = std::max(next_, number + 1);
    return gateway::Slot{number, fmt::format("100.64.0.{}", number), "", 0, std::move(netns)};
  }
  Result<> release_slot(gateway::Slot) override { return {}; }
  Result<> bind(const gateway::Slot&, const std::string& attachment, const std::string&) override {
    if (attachment != "subnet-1") return fail(Kind::not_found, "no attachment " + attachment);
    return {};
  }
  Result<> unbind(const gateway::Slot&) override { return {}; }
  Result<> ensure_gateway(const GatewayId&, const std::string&) override { return {}; }
  void ensure_attachment(const GatewayId&, const std::string&, const VpcId&, const SubnetId&,
                         const std::string& address, AttachmentDone done) override {
    done(gateway::AttachmentInfo{7, "02:00:00:00:00:07", address, true});
  }
  void ensure_outside(const GatewayId&, AttachmentDone done) override { done(fail(Kind::unavailable, "no outside")); }
  Result<> delete_attachment(const std::string&) override { return {}; }
  Result<> ensure_policy(const std::string&, const std::vector<gateway::Rule>&) override { return {}; }
  Result<> delete_policy(const std::string&) override { return {}; }
  Result<json::object> stats(const GatewayId&) override { return json::object{{"gateway", json::object{}}}; }
  Result<> ensure_vpc(const VpcId&) override { return {}; }
  Result<> ensure_subnet(const VpcId&, const SubnetId&, const std::string&) override { return {}; }
  Result<> delete_subnet(const VpcId&, const SubnetId&) override { return {}; }
  Result<> delete_vpc(const VpcId&) override { return {}; }
  Result<> add_vpc_host(const VpcId&, const SubnetId&, const std::string&, const std::string&) override { return {}; }
  Result<> delete_vpc_host(const std::string&) override { return {}; }
  Result<> attach_bridge(const VpcId&, const SubnetId&, const std::string&, int) override { return {}; }
  Result<> attach_vxlan(const VpcId&, const SubnetId&, uint32_t, const std::string&) override { return {}; }
  Result<> detach_vpc(const VpcId&, const SubnetId&) override { return {}; }
  std::vector<int> poll_fds() const override { return {}; }
  void dispatch() override {}
  int next_deadline_ms() const override { return -1; }

 private:
  int64_t next_ = 0;
};

// ---- hearthd's side

struct Answer {
  ReplyFrame frame;
  std::vector<Fd> fds;
};

class Client {
 public:
  explicit Client(const std::string& path) {
    socket_ = Fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path.c_str());
    auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      if (Clock::now() > until) throw std::runtime_error("the warden does not listen");
      usleep(1000);
    }
  }

  int send(Request request) {
    RequestFrame frame{++id_, std::move(request)};
    EXPECT_TRUE(kernel::send_datagram(socket_.get(), encode(frame), {}, 0).has_value());
    return static_cast<int>(frame.id);
  }
  Answer call(Request request) { return wait_for(send(std::move(request))); }

  template <typename T>
  T call_for(Request request) {
    Answer answer = call(std::move(request));
    if (!answer.frame.reply) throw std::runtime_error(answer.frame.reply.error().message);
    return std::get<T>(*answer.frame.reply);
  }
  Error call_error(Request request) {
    Answer answer = call(std::move(request));
    if (answer.frame.reply) throw std::runtime_error("the request was not refused");
    return answer.frame.reply.error();
  }

  Answer wait_for(int64_t id) {
    auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    for (;;) {
      for (auto at = answers_.begin(); at != answers_.end(); ++at) {
        if (at->frame.id != id) continue;
        Answer answer = std::move(*at);
        answers_.erase(at);
        return answer;
      }
      receive(until);
    }
  }
  ContainerGone wait_gone(const ContainerId& container) {
    auto until = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    for (;;) {
      if (auto found = gone_.find(container); found != gone_.end()) return found->second;
      receive(until);
    }
  }
  bool closed() {
    pollfd entry{socket_.get(), POLLIN, 0};
    poll(&entry, 1, kPatienceMs);
    char byte = 0;
    return recv(socket_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
  int fd() const { return socket_.get(); }

 private:
  void receive(Clock::time_point until) {
    pollfd entry{socket_.get(), POLLIN, 0};
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0 || poll(&entry, 1, static_cast<int>(left)) <= 0) throw std::runtime_error("the warden is silent");
    auto datagram = kernel::receive_datagram(socket_.get(), kMaxMessage, kernel::kMaxDatagramFds, 0);
    if (!datagram || datagram->bytes.empty()) throw std::runtime_error("the warden closed the connection");
    auto frame = decode_server_frame(datagram->bytes);
    if (!frame) throw std::runtime_error(frame.error().message);
    if (auto* reply = std::get_if<ReplyFrame>(&*frame))
      answers_.push_back({std::move(*reply), std::move(datagram->fds)});
    if (auto* gone = std::get_if<ContainerGone>(&*frame)) gone_.emplace(gone->container, *gone);
  }

  Fd socket_;
  int64_t id_ = 0;
  std::vector<Answer> answers_;
  std::map<ContainerId, ContainerGone> gone_;
};

struct HttpRequest {
  std::string line;
  std::string head;
  std::string body;
};

// The Runtime API of one container, served by hand.
class RuntimeApi {
 public:
  explicit RuntimeApi(int listener) : listener_(listener) {}

  HttpRequest read() {
    size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) fill();
    HttpRequest request;
    request.head = buffer_.substr(0, end + 4);
    request.line = request.head.substr(0, request.head.find("\r\n"));
    size_t length = 0;
    if (auto at = request.head.find("Content-Length: "); at != std::string::npos)
      length = std::stoul(request.head.substr(at + 16));
    while (buffer_.size() < end + 4 + length) fill();
    request.body = buffer_.substr(end + 4, length);
    buffer_.erase(0, end + 4 + length);
    return request;
  }
  void write(const std::string& text) {
    for (size_t done = 0; done < text.size();) {
      ssize_t sent = ::send(connection_.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the shim closed the connection");
      done += static_cast<size_t>(sent);
    }
  }
  void reply(int status, const std::string& body = "") {
    write(fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body));
  }
  // Answers the GET that waits.
  void invoke(const std::string& event, const std::string& id = "request-1", const std::string& more = "") {
    HttpRequest get = read();
    EXPECT_EQ(get.line, "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
    write(
        fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {}\r\n"
                    "Lambda-Runtime-Deadline-Ms: 99999999999999\r\nLambda-Runtime-Trace-Id: Root=1\r\n"
                    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:x\r\n{}Content-Length: {}\r\n\r\n{}",
                    id, more, event.size(), event));
  }
  // One invocation that succeeds, answered.
  std::string call(const std::string& event, const std::string& id = "request-1", const std::string& more = "") {
    invoke(event, id, more);
    HttpRequest post = read();
    EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/" + id + "/response HTTP/1.1") << post.body;
    reply(202);
    return post.body;
  }
  void reconnect() {
    connection_.reset();
    buffer_.clear();
  }

 private:
  void fill() {
    if (!connection_.valid()) {
      wait(listener_);
      connection_ = Fd(accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
      int on = 1;
      setsockopt(connection_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    wait(connection_.get());
    char bytes[65536];
    ssize_t got = recv(connection_.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) throw std::runtime_error("the shim closed the connection");
    buffer_.append(bytes, static_cast<size_t>(got));
  }
  static void wait(int fd) {
    pollfd entry{fd, POLLIN, 0};
    if (poll(&entry, 1, kPatienceMs) <= 0) throw std::runtime_error("the shim is silent");
  }

  int listener_;
  Fd connection_;
  std::string buffer_;
};

std::string read_output(int fd, const std::string& until) {
  std::string text;
  auto deadline = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (text.find(until) == std::string::npos && Clock::now() < deadline) {
    pollfd entry{fd, POLLIN, 0};
    if (poll(&entry, 1, 100) <= 0) continue;
    char bytes[65536];
    ssize_t got = ::read(fd, bytes, sizeof(bytes));
    if (got <= 0) break;
    text.append(bytes, static_cast<size_t>(got));
  }
  return text;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// ---- the fixture: one warden a test, in a process of its own

struct Made {
  ContainerId id;
  Fd runtime_api, aws_endpoint, output, peak;
};

std::string build_home() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path().string(); }

class WardenRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    instance_ = fmt::format("ct{}", getpid() % 100000);
    run_dir_ = "/run/" + instance_;
    packages_ = fs::temp_directory_path() / (instance_ + "-packages");
    fs::create_directories(run_dir_);
    fs::create_directories(packages_);
    ASSERT_TRUE(kernel::expedite_rcu("/run/hearth-rcu", instance_).has_value());
    start_warden();
    connect();
  }

  void TearDown() override {
    if (geteuid() != 0) return;
    client_.reset();
    if (warden_ > 0) {
      kill(warden_, SIGTERM);
      int status = 0;
      waitpid(warden_, &status, 0);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the warden ended with " << status;
    }
    auto cgroups = kernel::CgroupHost::open(kCgroupRoot, instance_);
    ASSERT_TRUE(cgroups.has_value());
    EXPECT_THAT(cgroups->list().value(), IsEmpty()) << "cgroups are left";
    EXPECT_TRUE(cgroups->remove_parents().has_value());
    EXPECT_THAT(processes(), IsEmpty()) << "processes are left";
    EXPECT_TRUE(kernel::relax_rcu("/run/hearth-rcu", instance_).has_value());
    fs::remove_all(run_dir_);
    fs::remove_all(packages_);
  }

  void start_warden(uid_t client = 0) {
    warden_ = fork();
    ASSERT_GE(warden_, 0);
    if (warden_ == 0) _exit(run_warden(client));
  }

  int run_warden(uid_t client) {
    log::start("warden", "warning");
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    Fd stop(signalfd(-1, &signals, SFD_CLOEXEC));
    LoopbackNetwork network;
    Warden::Options options{.instance = instance_,
                            .run_dir = run_dir_,
                            .packages_dir = packages_,
                            .cgroup_root = kCgroupRoot,
                            .client_uid = client,
                            .max_containers = 64,
                            .runtimes = container::find_runtimes(build_home())};
    auto warden = Warden::open(std::move(options), network);
    if (!warden) {
      log::error("{}", warden.error().describe());
      return 1;
    }
    auto served = (*warden)->run(stop.get());
    if (!served) log::error("{}", served.error().describe());
    return served ? 0 : 1;
  }

  void connect() {
    client_ = std::make_unique<Client>(run_dir_ + "/warden.sock");
    hello_ = client_->call_for<HelloReply>(Hello{});
  }

  // Living processes in a cgroup of the instance.
  std::vector<std::string> processes() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::string cgroups = file_text(entry.path() / "cgroup");
      if (cgroups.find("/" + instance_ + "/") != std::string::npos) found.push_back(entry.path());
    }
    return found;
  }

  Made make(const std::string& runtime = "python3.11") {
    Answer answer = client_->call(MakeContainer{runtime});
    if (!answer.frame.reply) throw std::runtime_error(answer.frame.reply.error().message);
    EXPECT_EQ(answer.fds.size(), 4U);
    auto& fds = answer.fds;
    return {std::get<ContainerReply>(*answer.frame.reply).container, std::move(fds[0]), std::move(fds[1]),
            std::move(fds[2]), std::move(fds[3])};
  }

  // A package of `files`; returns its digest.
  PackageDigest package(const std::map<std::string, std::string>& files) {
    PackageDigest digest(random_hex(64));
    fs::path folder = packages_ / digest.str();
    fs::create_directories(folder);
    for (const auto& [name, text] : files) {
      fs::create_directories((folder / name).parent_path());
      std::ofstream(folder / name) << text;
      fs::permissions(folder / name, fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read |
                                         fs::perms::group_exec | fs::perms::others_exec);
    }
    return digest;
  }

  Bind bind_request(const Made& made, const PackageDigest& digest, const std::string& handler = "app.handler",
                    const json::object& more = {}) {
    json::object environment{{"AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"},
                             {"AWS_LAMBDA_FUNCTION_NAME", "demo"},
                             {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"},
                             {"PATH", "/usr/local/bin:/usr/bin:/bin"},
                             {"TZ", ":UTC"},
                             {"PYTHONPATH", "/var/runtime"}};
    for (const auto& item : more) environment[item.key()] = item.value();
    json::object start{{"version", 1}, {"handler", handler}, {"environment", environment}};
    Bind bind;
    bind.container = made.id;
    bind.package = digest;
    bind.attachment = "subnet-1";
    bind.nameservers = {"10.0.0.2"};
    bind.start = json::serialize(start);
    return bind;
  }

  // A bound container of a one-file Python package.
  Made run_python(const std::string& source, const json::object& environment = {}) {
    Made made = make();
    client_->call_for<BindReply>(bind_request(made, package({{"app.py", source}}), "app.handler", environment));
    return made;
  }

  // Host pids in the container's cgroup.
  std::vector<int> members(const ContainerId& id) {
    std::string v1 = fmt::format("{}/memory/{}/{}/cgroup.procs", kCgroupRoot, instance_, id.str());
    std::string v2 = fmt::format("{}/{}/{}/cgroup.procs", kCgroupRoot, instance_, id.str());
    std::ifstream file(fs::exists(v1) ? v1 : v2);
    std::vector<int> pids;
    for (int pid = 0; file >> pid;) pids.push_back(pid);
    return pids;
  }

  std::string instance_;
  std::string run_dir_;
  fs::path packages_;
  pid_t warden_ = -1;
  std::unique_ptr<Client> client_;
  HelloReply hello_;
};

// ---- the life of a container

TEST_F(WardenRoot, HelloNamesRuntimesAndCgroupVersion) {
  EXPECT_THAT(hello_.runtimes, Contains("python3.11"));
  EXPECT_THAT(hello_.runtimes, Contains("provided.al2023"));
  EXPECT_TRUE(hello_.cgroup == "v1" || hello_.cgroup == "v2");
}

TEST_F(WardenRoot, ServesInvocationsOfABoundFunction) {
  Made made = run_python(
      "import os, sys\n"
      "def handler(event, context):\n"
      "    print('hello from', context.function_name)\n"
      "    return {'got': event, 'id': context.aws_request_id, 'cwd': os.getcwd(), 'uid': os.getuid(),\n"
      "            'trace': os.environ['_X_AMZN_TRACE_ID'], 'path0': sys.path[0], 'resolv': "
      "open('/etc/resolv.conf').read()}\n");
  RuntimeApi api(made.runtime_api.get());
  auto first = json::parse(api.call(R"({"n": 1})")).as_object();
  EXPECT_EQ(first["got"], json::parse(R"({"n": 1})"));
  EXPECT_EQ(first["id"], "request-1");
  EXPECT_EQ(first["cwd"], "/var/task");
  EXPECT_EQ(first["uid"], 993);
  EXPECT_EQ(first["trace"], "Root=1");
  EXPECT_EQ(first["path0"], "/var/task");
  EXPECT_THAT(std::string(first["resolv"].as_string().c_str()), HasSubstr("nameserver 10.0.0.2"));
  EXPECT_THAT(read_output(made.output.get(), "demo\n"), HasSubstr("hello from demo\n"));
  EXPECT_EQ(json::parse(api.call("[]", "request-2")).as_object()["id"], "request-2");
  char peak[32] = {};
  EXPECT_GT(pread(made.peak.get(), peak, sizeof(peak) - 1, 0), 0);
  EXPECT_GT(std::atoll(peak), 0);
}

TEST_F(WardenRoot, AWarmContainerHoldsNothingOfAnyFunction) {
  Made bound =
      run_python("SECRET = 'c0ffee-of-a-function'\ndef handler(e, c): return 1\n", {{"TOKEN", "s3cr3t-token"}});
  RuntimeApi(bound.runtime_api.get()).call("{}");
  Made warm = make();
  auto pids = members(warm.id);
  ASSERT_EQ(pids.size(), 2U);  // PID 1 and the shim
  for (int pid : pids) {
    std::string base = fmt::format("/proc/{}/", pid);
    std::string mounts = file_text(base + "mountinfo");
    EXPECT_THAT(mounts, HasSubstr(" /usr "));
    EXPECT_THAT(mounts, Not(HasSubstr(packages_.string())));
    EXPECT_THAT(mounts, Not(HasSubstr(" /var/task ")));
    std::string environment = file_text(base + "environ");
    EXPECT_THAT(environment, Not(HasSubstr("TOKEN")));
    EXPECT_THAT(environment, Not(HasSubstr("_HANDLER")));
    EXPECT_THAT(file_text(base + "maps"), Not(HasSubstr("/var/task")));
  }
}

TEST_F(WardenRoot, BindsOnlyWarmContainersAndOnlyPackagesThatExist) {
  Made made = make();
  PackageDigest digest = package({{"app.py", "def handler(e, c): return 1\n"}});
  Bind missing = bind_request(made, PackageDigest(std::string(64, '0')));
  EXPECT_EQ(client_->call_error(missing).kind, Kind::not_found);
  EXPECT_EQ(client_->wait_gone(made.id).cause, "killed");
  EXPECT_EQ(client_->call_error(bind_request(made, digest)).kind, Kind::not_found);
  Made other = make();
  client_->call_for<BindReply>(bind_request(other, digest));
  EXPECT_EQ(client_->call_error(bind_request(other, digest)).kind, Kind::conflict);
  fs::create_directory_symlink("/etc", packages_ / std::string(64, '1'));
  Made third = make();
  EXPECT_FALSE(client_->call(bind_request(third, PackageDigest(std::string(64, '1')))).frame.reply.has_value());
}

TEST_F(WardenRoot, LayersAreMergedInOrder) {
  Made made = make();
  Bind bind = bind_request(made, package({{"app.py",
                                           "import lib\n"
                                           "def handler(e, c): return [lib.NAME, open('/opt/only-first').read()]\n"}}));
  bind.layers = {package({{"python/lib.py", "NAME = 'first'\n"}, {"only-first", "1"}}),
                 package({{"python/lib.py", "NAME = 'second'\n"}})};
  client_->call_for<BindReply>(bind);
  EXPECT_EQ(RuntimeApi(made.runtime_api.get()).call("{}"), R"(["second", "1"])");
}

TEST_F(WardenRoot, TmpHasTheSizeThatWasAsked) {
  Made made = make();
  Bind bind = bind_request(made, package({{"app.py",
                                           "import os\n"
                                           "def handler(e, c):\n"
                                           "    s = os.statvfs('/tmp')\n"
                                           "    open('/tmp/x', 'w').write('y')\n"
                                           "    return s.f_frsize * s.f_blocks // 2**20\n"}}));
  bind.tmp_mib = 2048;
  client_->call_for<BindReply>(bind);
  EXPECT_EQ(RuntimeApi(made.runtime_api.get()).call("{}"), "2048");
}

// ---- how it ends

TEST_F(WardenRoot, TellsExitStatus) {
  Made made = run_python("import sys\ndef handler(e, c): sys.exit(3)\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "exited");
  EXPECT_EQ(gone.code, 3);
  EXPECT_FALSE(gone.out_of_memory);
}

TEST_F(WardenRoot, TellsSignal) {
  Made made = run_python("import os\ndef handler(e, c): os.kill(os.getpid(), 9)\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "signaled");
  EXPECT_EQ(gone.code, 9);
}

TEST_F(WardenRoot, TellsOutOfMemory) {
  Made made = run_python("def handler(e, c):\n    return len(bytearray(400 * 2**20))\n");
  RuntimeApi(made.runtime_api.get()).invoke("{}");
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "signaled");
  EXPECT_TRUE(gone.out_of_memory);
}

TEST_F(WardenRoot, KillLeavesNothing) {
  Made made =
      run_python("import subprocess\ndef handler(e, c):\n    subprocess.Popen(['sleep', '1000'])\n    return 1\n");
  RuntimeApi(made.runtime_api.get()).call("{}");
  EXPECT_EQ(members(made.id).size(), 3U);
  client_->call_for<Done>(Kill{made.id});
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "killed");
  EXPECT_THAT(members(made.id), IsEmpty());
  EXPECT_FALSE(fs::exists(fmt::format("{}/memory/{}/{}", kCgroupRoot, instance_, made.id.str())));
  EXPECT_TRUE(fs::is_empty(run_dir_ + "/containers"));
  EXPECT_EQ(client_->call_error(Kill{made.id}).kind, Kind::not_found);
}

TEST_F(WardenRoot, AForkBombHitsItsLimitAndDiesWithItsContainer) {
  Made made = make();
  PackageDigest digest = package({{"app.py",
                                   "import os, time\n"
                                   "def handler(e, c):\n"
                                   "    made = 0\n"
                                   "    try:\n"
                                   "        while True:\n"
                                   "            if os.fork() == 0:\n"
                                   "                time.sleep(1000)\n"
                                   "            made += 1\n"
                                   "    except OSError as error:\n"
                                   "        return [made, error.errno]\n"}});
  Bind bind = bind_request(made, digest);
  bind.memory_mib = 4096;  // the limit to be hit is that of processes
  client_->call_for<BindReply>(bind);
  auto result = json::parse(RuntimeApi(made.runtime_api.get()).call("{}")).as_array();
  EXPECT_LE(result[0].as_int64(), 1024);
  EXPECT_EQ(result[1], EAGAIN);
  client_->call_for<Done>(Kill{made.id});
  client_->wait_gone(made.id);
}

TEST_F(WardenRoot, FrozenContainersStandStillAndCanBeKilled) {
  Made made = run_python("def handler(e, c): return 1\n");
  RuntimeApi api(made.runtime_api.get());
  api.call("{}");
  client_->call_for<Done>(Freeze{made.id, true});
  api.invoke("{}");  // the GET was sent before
  client_->call_for<Done>(Freeze{made.id, false});
  EXPECT_EQ(api.read().body, "1");
  client_->call_for<Done>(Freeze{made.id, true});
  client_->call_for<Done>(Kill{made.id});
  EXPECT_EQ(client_->wait_gone(made.id).cause, "killed");
}

TEST_F(WardenRoot, ManyContainersLeaveNoDescriptor) {
  auto descriptors = [&] {
    auto folder = fs::directory_iterator(fmt::format("/proc/{}/fd", warden_));
    return std::distance(fs::begin(folder), fs::end(folder));
  };
  PackageDigest digest = package({{"app.py", "def handler(e, c): return 1\n"}});
  auto one = [&] {
    Made made = make();
    client_->call_for<BindReply>(bind_request(made, digest));
    client_->call_for<Done>(Kill{made.id});
    client_->wait_gone(made.id);
  };
  auto settled = [&] {  // places are made ahead when nothing else is to do
    auto count = descriptors();
    for (int i = 0; i < 100; ++i) {
      client_->call_for<ListContainersReply>(ListContainers{});
      usleep(10'000);
      auto now = descriptors();
      if (now == count && i > 20) return count;
      count = now;
    }
    return count;
  };
  one();
  auto before = settled();
  for (int i = 0; i < 40; ++i) one();
  EXPECT_EQ(settled(), before);
}

// ---- what a hostile handler tries

TEST_F(WardenRoot, AHostileHandlerIsRefusedEverything) {
  Made made = run_python(R"(
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    return 'done' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(action):
    try:
        action()
        return 'done'
    except OSError as error:
        return errno.errorcode[error.errno]
def status(name):
    for line in open('/proc/self/status'):
        if line.startswith(name + ':'):
            return line.split()[1]
def handler(event, context):
    return {
        'mount': syscall(165, b'none', b'/tmp', b'tmpfs', 0, None),
        'ptrace': syscall(101, 16, 1, 0, 0),
        'unshare': syscall(272, 0x10000000),
        'clone newuser': syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
        'clone3': syscall(435, 0, 0),
        'setns': syscall(308, 0, 0),
        'bpf': syscall(321, 0, 0, 0),
        'keyctl': syscall(250, 0, 0, 0, 0, 0),
        'perf_event_open': syscall(298, 0, 0, 0, 0, 0),
        'userfaultfd': syscall(323, 0),
        'io_uring_setup': syscall(425, 1, 0),
        'open_by_handle_at': syscall(304, 0, 0, 0),
        'init_module': syscall(175, 0, 0, b''),
        'kexec_load': syscall(246, 0, 0, 0, 0),
        'process_vm_readv': syscall(310, 1, 0, 0, 0, 0, 0),
        'raw socket': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        'packet socket': attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)),
        'netlink netfilter': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)),
        'netlink route': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
        'setuid': attempt(lambda: os.setuid(0)),
        'kill init': attempt(lambda: os.kill(1, 15)),
        'write /usr': attempt(lambda: open('/usr/x', 'w')),
        'write /var/task': attempt(lambda: open('/var/task/x', 'w')),
        'write /run': attempt(lambda: open('/run/x', 'w')),
        'write resolv.conf': attempt(lambda: open('/etc/resolv.conf', 'w')),
        'write /proc/sys': attempt(lambda: open('/proc/sys/kernel/hostname', 'w')),
        'list /run/private': attempt(lambda: os.listdir('/run/private')),
        'masked': [open(p).read(1) for p in ('/proc/keys', '/proc/kallsyms', '/proc/modules', '/proc/key-users') if os.path.exists(p)],
        'host root': os.listdir('/'),
        'sys': os.listdir('/sys'),
        'processes': [p for p in os.listdir('/proc') if p.isdigit()],
        'sees init': os.path.exists('/proc/1/status'),
        'capabilities': [status(n) for n in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')],
        'no_new_privs': status('NoNewPrivs'),
        'seccomp': status('Seccomp'),
        'descriptors': sorted(os.listdir('/proc/self/fd')),
        'tmp': attempt(lambda: open('/tmp/x', 'w')),
        'shm': attempt(lambda: open('/dev/shm/x', 'w')),
        'stderr': attempt(lambda: open('/dev/stderr', 'w')),
        'cgroup': open('/proc/self/cgroup').read(),
    }
)");
  auto got = json::parse(RuntimeApi(made.runtime_api.get()).call("{}")).as_object();
  for (const char* name : {"mount", "ptrace", "unshare", "clone newuser", "setns", "bpf", "keyctl", "perf_event_open",
                           "userfaultfd", "io_uring_setup", "open_by_handle_at", "init_module", "kexec_load",
                           "process_vm_readv", "raw socket", "packet socket", "setuid", "kill init"}) {
    EXPECT_EQ(got[name], "EPERM") << name;
  }
  EXPECT_EQ(got["clone3"], "ENOSYS");
  EXPECT_EQ(got["netlink netfilter"], "ENOSYS");
  EXPECT_EQ(got["netlink route"], "done");
  EXPECT_EQ(got["write /usr"], "EROFS");
  EXPECT_EQ(got["write /var/task"], "EROFS");
  EXPECT_EQ(got["write /run"], "EACCES");
  EXPECT_EQ(got["write resolv.conf"], "EACCES");
  EXPECT_NE(got["write /proc/sys"], "done");
  EXPECT_EQ(got["list /run/private"], "EACCES");
  for (const auto& text : got["masked"].as_array()) EXPECT_EQ(text, "");
  EXPECT_THAT(json::serialize(got["host root"]), Not(HasSubstr("work")));
  EXPECT_TRUE(got["sys"].as_array().empty());
  EXPECT_EQ(got["processes"].as_array().size(), 1U);
  EXPECT_EQ(got["sees init"], false);
  for (const auto& set : got["capabilities"].as_array()) EXPECT_EQ(set, "0000000000000000");
  EXPECT_EQ(got["no_new_privs"], "1");
  EXPECT_EQ(got["seccomp"], "2");
  EXPECT_LE(got["descriptors"].as_array().size(), 5U) << json::serialize(got["descriptors"]);
  EXPECT_EQ(got["tmp"], "done");
  EXPECT_EQ(got["shm"], "done");
  EXPECT_EQ(got["stderr"], "done");
  EXPECT_THAT(std::string(got["cgroup"].as_string().c_str()), Not(HasSubstr(made.id.str())));
}

// ---- errors of functions, as AWS's client tells them

struct InitFailure {
  const char* handler;
  std::map<std::string, std::string> files;
  const char* type;
  const char* message;
};

TEST_F(WardenRoot, FailedImportsAreTold) {
  const std::vector<InitFailure> cases = {
      {"app.handler",
       {{"other.py", ""}},
       "Runtime.ImportModuleError",
       "Unable to import module 'app': No module named 'app'"},
      {"app.handler", {{"app.py", ""}}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"},
      {"app.handler", {{"app.py", "def x(:\n"}}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "},
      {"app", {{"app.py", ""}}, "Runtime.MalformedHandlerName", "Bad handler 'app': "},
      {"sys.exit", {{"app.py", ""}}, "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys"},
      {"app.handler", {{"app.py", "raise ValueError('at top')\n"}}, "ValueError", "at top"},
  };
  for (const auto& failure : cases) {
    Made made = make();
    client_->call_for<BindReply>(bind_request(made, package(failure.files), failure.handler));
    RuntimeApi api(made.runtime_api.get());
    HttpRequest post = api.read();
    api.reply(202);
    EXPECT_EQ(post.line, "POST /2018-06-01/runtime/init/error HTTP/1.1") << failure.type;
    EXPECT_THAT(post.head, HasSubstr(std::string("Lambda-Runtime-Function-Error-Type: ") + failure.type));
    auto error = json::parse(post.body).as_object();
    EXPECT_EQ(error["errorType"], failure.type);
    EXPECT_THAT(std::string(error["errorMessage"].as_string().c_str()), HasSubstr(failure.message));
    EXPECT_THAT(read_output(made.output.get(), "[ERROR]"), HasSubstr(std::string("[ERROR] ") + failure.type + ": "));
    ContainerGone gone = client_->wait_gone(made.id);
    EXPECT_EQ(gone.cause, "exited");
    EXPECT_EQ(gone.code, 1);
  }
}

TEST_F(WardenRoot, FailedInvocationsAreToldAndTheNextOneWorks) {
  Made made = run_python(
      "import decimal, logging\n"
      "def handler(event, context):\n"
      "    if event == 'raise': raise KeyError('k')\n"
      "    if event == 'set': return {1}\n"
      "    if event == 'log': logging.warning('careful')\n"
      "    if event == 'large': return 'x' * (7 * 2**20)\n"
      "    if event == 'bytes': return b'raw'\n"
      "    return {'d': decimal.Decimal('1.10'), 'u': '\\u00e4', 'c': context.client_context and "
      "context.client_context.custom}\n");
  RuntimeApi api(made.runtime_api.get());
  api.invoke(R"("raise")");
  HttpRequest post = api.read();
  api.reply(202);
  EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/request-1/error HTTP/1.1");
  auto error = json::parse(post.body).as_object();
  EXPECT_EQ(error["errorType"], "KeyError");
  EXPECT_EQ(error["errorMessage"], "'k'");
  EXPECT_EQ(error["requestId"], "request-1");
  ASSERT_EQ(error["stackTrace"].as_array().size(), 1U);
  EXPECT_EQ(error["stackTrace"].as_array()[0],
            "  File \"/var/task/app.py\", line 3, in handler\n    if event == 'raise': raise KeyError('k')\n");
  EXPECT_THAT(post.head, HasSubstr("Lambda-Runtime-Function-XRay-Error-Cause: {"));
  EXPECT_THAT(read_output(made.output.get(), "KeyError('k')"),
              HasSubstr("[ERROR] KeyError: 'k'\rTraceback (most recent call last):\r\xc2\xa0\xc2\xa0"
                        "File"));

  api.invoke(R"("set")", "request-2");
  post = api.read();
  api.reply(202);
  EXPECT_THAT(post.body, HasSubstr("Runtime.MarshalError"));
  EXPECT_THAT(post.body, HasSubstr("Unable to marshal response: Object of type set is not JSON serializable"));

  EXPECT_EQ(api.call("{}", "request-3"), R"({"d": 1.10, "u": "\u00e4", "c": null})");
  EXPECT_EQ(api.call("{}", "request-4", "Lambda-Runtime-Client-Context: {\"custom\":{\"a\":1}}\r\n"),
            R"({"d": 1.10, "u": "\u00e4", "c": {"a": 1}})");
  EXPECT_EQ(api.call(R"("bytes")", "request-5"), "raw");

  api.call(R"("log")", "request-6");
  EXPECT_THAT(read_output(made.output.get(), "careful\n"), HasSubstr("\trequest-6\tcareful\n"));

  api.invoke(R"("large")", "request-7");
  post = api.read();
  EXPECT_EQ(post.body.size(), 7U * 1024 * 1024 + 2);
  api.reply(413);
  post = api.read();
  api.reply(202);
  EXPECT_EQ(post.line, "POST /2018-06-01/runtime/invocation/request-7/error HTTP/1.1");
  EXPECT_THAT(post.body, HasSubstr("Function.ResponseSizeTooLarge"));
  EXPECT_EQ(api.call(R"("bytes")", "request-8"), "raw");
}

TEST_F(WardenRoot, SixMebibytesGoThroughBothWays) {
  Made made = run_python("def handler(event, context): return event\n");
  RuntimeApi api(made.runtime_api.get());
  std::string body = "\"" + std::string(6UL * 1024 * 1024 - 2, 'x') + "\"";
  EXPECT_TRUE(api.call(body) == body);
}

TEST_F(WardenRoot, TheShimConnectsAgainWhenHearthdWasRestarted) {
  Made made = run_python("def handler(event, context): return event\n");
  RuntimeApi api(made.runtime_api.get());
  EXPECT_EQ(api.call("1"), "1");
  EXPECT_THAT(api.read().line, HasSubstr("/invocation/next"));
  api.reconnect();
  EXPECT_EQ(api.call("2", "request-2"), "2");
}

// ---- custom runtimes

TEST_F(WardenRoot, ACustomRuntimeExecutesItsBootstrap) {
  Made made = make("provided.al2023");
  client_->call_for<BindReply>(bind_request(
      made, package({{"bootstrap", "#!/bin/sh\necho $AWS_LAMBDA_FUNCTION_NAME in $(pwd) as $(id -u)\nexit 5\n"}})));
  EXPECT_THAT(read_output(made.output.get(), "993\n"), HasSubstr("demo in /var/task as 993\n"));
  ContainerGone gone = client_->wait_gone(made.id);
  EXPECT_EQ(gone.cause, "exited");
  EXPECT_EQ(gone.code, 5);
}

TEST_F(WardenRoot, ACustomRuntimeWithoutBootstrapExits127) {
  Made made = make("provided");
  client_->call_for<BindReply>(bind_request(made, package({{"readme", "nothing"}})));
  EXPECT_THAT(read_output(made.output.get(), "\n"), HasSubstr("Couldn't find valid bootstrap(s)"));
  EXPECT_EQ(client_->wait_gone(made.id).code, 127);
}

// ---- processes that die

TEST_F(WardenRoot, BoundContainersOutliveAKilledWarden) {
  Made bound = run_python("def handler(event, context): return event\n");
  Made warm = make();
  RuntimeApi api(bound.runtime_api.get());
  EXPECT_EQ(api.call("1"), "1");
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  EXPECT_EQ(api.call("2", "request-2"), "2");
  start_warden();
  connect();
  auto list = client_->call_for<ListContainersReply>(ListContainers{});
  ASSERT_EQ(list.containers.size(), 1U);
  EXPECT_EQ(list.containers[0].container, bound.id);
  EXPECT_EQ(list.containers[0].state, ContainerState::bound);
  EXPECT_EQ(client_->call_error(AdoptContainer{bound.id}).kind, Kind::unavailable);
  EXPECT_EQ(api.call("3", "request-3"), "3");
  client_->call_for<Done>(Kill{bound.id});
  EXPECT_EQ(client_->wait_gone(bound.id).cause, "killed");
}

TEST_F(WardenRoot, TheEndOfATakenOverContainerIsLost) {
  Made bound = run_python("import sys\ndef handler(event, context): sys.exit(4)\n");
  kill(warden_, SIGKILL);
  waitpid(warden_, nullptr, 0);
  start_warden();
  connect();
  RuntimeApi(bound.runtime_api.get()).invoke("{}");
  EXPECT_EQ(client_->wait_gone(bound.id).cause, "lost");
}

TEST_F(WardenRoot, ARestartedHearthdFindsAndAdoptsContainers) {
  ContainerId warm;
  {
    Made made = make();
    warm = made.id;
  }
  connect();
  auto list = client_->call_for<ListContainersReply>(ListContainers{});
  ASSERT_EQ(list.containers.size(), 1U);
  EXPECT_EQ(list.containers[0].state, ContainerState::warm);
  Answer answer = client_->call(AdoptContainer{warm});
  ASSERT_TRUE(answer.frame.reply.has_value());
  ASSERT_EQ(answer.fds.size(), 4U);
  Made adopted{warm, std::move(answer.fds[0]), {}, {}, {}};
  client_->call_for<BindReply>(bind_request(adopted, package({{"app.py", "def handler(e, c): return 'ok'\n"}})));
  EXPECT_EQ(RuntimeApi(adopted.runtime_api.get()).call("{}"), "\"ok\"");
}

TEST_F(WardenRoot, AKilledZygoteIsStartedAgain) {
  make();
  pid_t zygote = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string command = file_text(entry.path() / "cmdline");
    if (command.find("/var/hearth/zygote.py") == std::string::npos) continue;
    std::string status = file_text(entry.path() / "status");
    if (status.find(fmt::format("PPid:\t{}\n", warden_)) == std::string::npos) continue;
    struct stat owner{};
    if (stat(entry.path().c_str(), &owner) == 0 && owner.st_uid == 0) zygote = std::stoi(entry.path().filename());
  }
  ASSERT_GT(zygote, 0);
  kill(zygote, SIGKILL);
  Made made;
  for (int attempt = 0; attempt < 100 && made.id.empty(); ++attempt) {
    Answer answer = client_->call(MakeContainer{"python3.11"});
    if (!answer.frame.reply) continue;  // asked of the dying one
    made.id = std::get<ContainerReply>(*answer.frame.reply).container;
  }
  EXPECT_FALSE(made.id.empty());
}

// ---- what hearthd may not do

TEST_F(WardenRoot, RefusesConnectionsOfOtherUsers) {
  client_.reset();
  kill(warden_, SIGTERM);
  waitpid(warden_, nullptr, 0);
  start_warden(12345);
  Client stranger(run_dir_ + "/warden.sock");
  EXPECT_TRUE(stranger.closed());
}

TEST_F(WardenRoot, ClosesWhoDoesNotSayHelloFirst) {
  Client silent(run_dir_ + "/warden.sock");
  silent.send(ListContainers{});
  EXPECT_TRUE(silent.closed());
  Client old(run_dir_ + "/warden.sock");
  old.send(Hello{99});
  EXPECT_TRUE(old.closed());
}

TEST_F(WardenRoot, AnswersBadRequestsAndGoesOn) {
  ASSERT_TRUE(kernel::send_datagram(client_->fd(), R"({"id":77,"op":"bind","container":"../x"})", {}, 0).has_value());
  EXPECT_EQ(client_->wait_for(77).frame.reply.error().kind, Kind::invalid);
  EXPECT_EQ(client_->call_error(MakeContainer{"cobol"}).message, "Runtime cobol is not installed here");
  EXPECT_EQ(client_->call_error(Kill{ContainerId("c0123456789abcdef")}).kind, Kind::not_found);
  auto attached = client_->call_for<AttachmentReply>(
      EnsureAttachment{GatewayId("gw-0"), "subnet-1", VpcId("vpc-1"), SubnetId("subnet-1"), "10.0.0.5"});
  EXPECT_EQ(attached.tag, 7);
  EXPECT_EQ(client_->call_error(EnsureOutside{GatewayId("gw-0")}).kind, Kind::unavailable);
}

TEST_F(WardenRoot, HasALimitOfContainers) {
  std::vector<int> ids;
  for (int i = 0; i < 65; ++i) ids.push_back(client_->send(MakeContainer{"python3.11"}));
  size_t made = 0;
  for (int id : ids) {
    Answer answer = client_->wait_for(id);
    if (answer.frame.reply) ++made;
    if (!answer.frame.reply) EXPECT_EQ(answer.frame.reply.error().kind, Kind::exhausted);
  }
  EXPECT_EQ(made, 64U);
}

// ---- numbers, for the reader; their bounds are wide because the machine is shared

int64_t pss_kib(int pid) {
  std::string text = file_text(fmt::format("/proc/{}/smaps_rollup", pid));
  auto at = text.find("\nPss:");
  return at == std::string::npos ? 0 : std::stoll(text.substr(at + 5));
}

TEST_F(WardenRoot, Measures) {
  constexpr int kCount = 48;
  PackageDigest digest = package({{"app.py", "def handler(e, c): return e\n"}});
  make();
  std::vector<double> make_ms, bind_ms;
  std::vector<Made> containers;
  for (int i = 0; i < kCount; ++i) {
    auto start = Clock::now();
    containers.push_back(make());
    make_ms.push_back(ms_since(start));
  }
  double pss = 0;
  for (const auto& made : containers) {
    for (int pid : members(made.id)) pss += static_cast<double>(pss_kib(pid)) / 1024;
  }
  std::vector<BindReply> phases;
  for (const auto& made : containers) {
    auto start = Clock::now();
    phases.push_back(client_->call_for<BindReply>(bind_request(made, digest)));
    bind_ms.push_back(ms_since(start));
  }
  std::ranges::sort(make_ms);
  std::ranges::sort(bind_ms);
  auto middle = [&](auto field) {
    std::ranges::sort(phases, {}, field);
    return static_cast<double>(phases[kCount / 2].*field) / 1000;
  };
  fmt::print("make p50 {:.2f} ms, p90 {:.2f} ms; bind round trip p50 {:.3f} ms, p90 {:.3f} ms\n", make_ms[kCount / 2],
             make_ms[kCount * 9 / 10], bind_ms[kCount / 2], bind_ms[kCount * 9 / 10]);
  fmt::print("bind phases p50: mount {:.0f} us, limits {:.0f} us, network {:.0f} us, message {:.0f} us\n",
             middle(&BindReply::mount_ns), middle(&BindReply::limits_ns), middle(&BindReply::network_ns),
             middle(&BindReply::message_ns));
  fmt::print("PSS of a warm container (PID 1 and shim): {:.2f} MiB\n", pss / kCount);
  EXPECT_LT(make_ms[kCount / 2], 100);
  EXPECT_LT(bind_ms[kCount / 2], 20);
  EXPECT_LE(pss / kCount, 4.0);
  RuntimeApi api(containers[0].runtime_api.get());
  api.call("{}");
  constexpr int kCalls = 2000;
  auto start = Clock::now();
  for (int i = 0; i < kCalls; ++i) api.call("{}");
  fmt::print("one invocation over the Runtime API: {:.1f} us\n", ms_since(start) * 1000 / kCalls);
}

}  // namespace
}  // namespace hearth::warden
