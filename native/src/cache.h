// A cache that discards the least recently used entry.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <utility>

namespace chainrule {

template <typename Key, typename Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(size_t capacity) : capacity_(capacity) {}

  // Returns the value of a key, which is made if it is missing.
  template <typename Make>
  Value& get(const Key& key, Make make) {
    auto found = places_.find(key);
    if (found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
    } else {
      entries_.emplace_front(key, make());
      places_[key] = entries_.begin();
      if (entries_.size() > capacity_) {
        places_.erase(entries_.back().first);
        entries_.pop_back();
      }
    }
    return *entries_.front().second;
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, std::unique_ptr<Value>>>;
  size_t capacity_;
  Entries entries_;
  std::map<Key, typename Entries::iterator> places_;
};

}  // namespace chainrule
