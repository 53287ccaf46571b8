#include "latency_models/measuring_line.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

#include <poll.h>
#include <termios.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kProtocol = 1;
constexpr std::size_t kChecksumBytes = 5;  // "*CCCC"
constexpr std::size_t kLongestLine = 4096;

// "*CCCC"
std::string checksum_text(std::string_view text) {
  const std::uint16_t crc = line_checksum(text);
  std::string result = "*";
  for (int shift = 12; shift >= 0; shift -= 4) {
    result += "0123456789abcdef"[crc >> shift & 15];
  }
  return result;
}

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = 0; words >> number;) {
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

std::uint16_t line_checksum(std::string_view text) {
  unsigned crc = 0xffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000u) != 0 ? crc << 1 ^ 0x1021u : crc << 1;
    }
  }
  return static_cast<std::uint16_t>(crc);
}

void MeasuringLine::send(const std::string& text) const {
  const std::string line = text + checksum_text(text) + "\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t count = ::write(write_end_, line.data() + sent, line.size() - sent);
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      throw Error(std::string("the line to the measuring firmware is broken: ") +
                  std::strerror(errno));
    }
    sent += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
}

std::optional<std::string> MeasuringLine::receive(Clock::time_point deadline) {
  for (;;) {
    const std::size_t end = received_.find('\n');
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      if (line.size() > kChecksumBytes) {
        const std::string text = line.substr(0, line.size() - kChecksumBytes);
        if (line.substr(text.size()) == checksum_text(text)) {
          return text;
        }
      }
      continue;
    }
    if (received_.size() > kLongestLine) {
      received_.clear();
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd readable{read_end_, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&readable, 1, static_cast<int>(left)) : 0;
    if (ready == 0) {
      return std::nullopt;
    }
    std::array<char, 1024> buffer{};
    const ssize_t count = ready > 0 ? ::read(read_end_, buffer.data(), buffer.size()) : -1;
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
      throw Error("the measuring firmware has ended");
    }
  }
}

MeasuringLine::Answer MeasuringLine::request(const std::string& command) {
  const std::string number = std::to_string(++number_);
  for (int attempt = 0; attempt < patience_.attempts; ++attempt) {
    resent_ += attempt > 0 ? 1 : 0;
    send(number + " " + command);
    const auto deadline = Clock::now() + patience_.answer_timeout;
    while (const std::optional<std::string> line = receive(deadline)) {
      if (line->starts_with("0 ")) {
        break;  // it was reset, and has forgotten the request
      }
      if (line->starts_with(number + " ok")) {
        return {.ok = true, .text = line->substr(number.size() + 3)};
      }
      if (line->starts_with(number + " error ")) {
        return {.ok = false, .text = line->substr(number.size() + 7)};
      }
    }
  }
  throw Error("the measuring firmware does not answer '" + command + "', asked " +
              std::to_string(patience_.attempts) + " times");
}

FirmwareInfo MeasuringLine::hello() {
  const Answer answer = request("hello");
  std::istringstream words(answer.text);
  int protocol = 0;
  FirmwareInfo info;
  if (!answer.ok || !(words >> protocol >> info.target >> info.unit >> info.kernels) ||
      protocol != kProtocol) {
    throw InputError("the measuring firmware speaks another protocol: '" + answer.text +
                     "'; build it again from this version");
  }
  resent_ = 0;  // it may just have started
  return info;
}

std::vector<std::int64_t> MeasuringLine::run(const OperatorKey& key, int repeats) {
  const OperatorFamily& f = key.family;
  std::string command = "run " + name_of(f);
  for (const int number : {f.kernel_h, f.kernel_w, f.stride_h, f.stride_w, key.rows.pad,
                           key.cols.pad, key.rows.input, key.cols.input, f.input_channels,
                           key.rows.output, key.cols.output, f.output_channels, repeats}) {
    command.append(" ").append(std::to_string(number));
  }
  const Answer answer = request(command);
  if (!answer.ok && answer.text != "no room for this operator") {
    throw Error("the measuring firmware refuses '" + command + "': " + answer.text);
  }
  return answer.ok ? numbers_of(answer.text) : std::vector<std::int64_t>{};
}

std::vector<std::int64_t> MeasuringLine::run_package(int index, int repeats) {
  const std::string command = "package " + std::to_string(index) + " " + std::to_string(repeats);
  const Answer answer = request(command);
  if (!answer.ok) {
    throw Error("the measuring firmware refuses '" + command + "': " + answer.text);
  }
  return numbers_of(answer.text);
}

int open_serial_port(const std::string& device, int baud) {
  struct Rate {
    int baud;
    speed_t speed;
  };
  constexpr std::array kRates = {Rate{9600, B9600},     Rate{57600, B57600},
                                 Rate{115200, B115200}, Rate{230400, B230400},
                                 Rate{460800, B460800}, Rate{921600, B921600}};
  const auto* const rate = std::find_if(kRates.begin(), kRates.end(),
                                        [&](const Rate& known) { return known.baud == baud; });
  if (rate == kRates.end()) {
    throw InputError(std::string("--baud ").append(std::to_string(baud)) +
                     ": allowed: 9600, 57600, 115200, 230400, 460800, 921600");
  }
  const int port = ::open(device.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (port < 0) {
    throw InputError(device + ": cannot open the serial port: " + std::strerror(errno));
  }
  termios settings{};
  if (::tcgetattr(port, &settings) != 0) {
    ::close(port);
    throw InputError(device + ": is not a serial port");
  }
  ::cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  ::cfsetspeed(&settings, rate->speed);
  ::tcsetattr(port, TCSANOW, &settings);
  ::tcflush(port, TCIOFLUSH);
  return port;
}

}  // namespace patchnas
