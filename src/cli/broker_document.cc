#include "cli/broker_document.h"

namespace talosmq::cli {

Document DescribeBrokers(const ClusterInfo& cluster) {
  Document rows = Document::array();
  for (const BrokerInfo& broker : cluster.brokers) {
    rows.push_back({{"broker", broker.id.value()},
                    {"address", broker.address},
                    {"version", broker.version},
                    {"boot_counter", broker.boot_counter}});
  }
  return rows;
}

}  // namespace talosmq::cli
