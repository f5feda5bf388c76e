#include "base/keyed_hash.h"

#include "base/check.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstring>

namespace talosmq::base {

struct KeyedHash::State {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_SIPHASH, nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);

  ~State() {
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
  }
};

KeyedHash::KeyedHash(Random& random) : state_(std::make_unique<State>()) {
  const std::array<uint64_t, 2> key = {random.Next(), random.Next()};
  std::array<unsigned char, sizeof(key)> bytes{};
  std::memcpy(bytes.data(), key.data(), sizeof(key));
  size_t size = sizeof(Value);
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  TALOSMQ_CHECK(state_->context != nullptr &&
                EVP_MAC_init(state_->context, bytes.data(), bytes.size(), parameters.data()) == 1)
      << "OpenSSL has no SipHash";
}

KeyedHash::~KeyedHash() = default;

KeyedHash::Value KeyedHash::Of(std::string_view text) {
  std::array<unsigned char, sizeof(Value)> bytes{};
  size_t size = 0;
  const bool is_done =
      EVP_MAC_init(state_->context, nullptr, 0, nullptr) == 1 &&
      EVP_MAC_update(state_->context, reinterpret_cast<const unsigned char*>(text.data()),
                     text.size()) == 1 &&
      EVP_MAC_final(state_->context, bytes.data(), &size, bytes.size()) == 1;
  TALOSMQ_CHECK(is_done && size == bytes.size()) << size;
  Value value;
  std::memcpy(&value.first, bytes.data(), sizeof(value.first));
  std::memcpy(&value.second, bytes.data() + sizeof(value.first), sizeof(value.second));
  return value;
}

}  // namespace talosmq::base
