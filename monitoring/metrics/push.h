#pragma once
#include <string>

namespace duet {

/// Leaves this process's metrics with a Pushgateway, in the group job="duet", run=`run`, in place of what was there. For what ends before
/// Prometheus comes by. `url`: "http://host:9091", no user or password. A gateway that is not there must never stop a training: it is
/// warned about, after at most some seconds, and false returned.
bool push_metrics(const std::string& url, const std::string& run);

/// Throws UsageError naming `option` when `url` is not of that form.
void check_push_url(const std::string& option, const std::string& url);

}  // namespace duet
