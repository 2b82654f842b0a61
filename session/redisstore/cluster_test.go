package redisstore_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
	"github.com/postern-go/postern/session/sessiontest"
)

// TestCluster: keys of one Load lie on several nodes.
func TestCluster(t *testing.T) {
	t.Parallel()
	addrs := startCluster(t)
	connect := func(t *testing.T) *redis.ClusterClient {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		t.Cleanup(func() { client.Close() })
		return client
	}
	client := connect(t)
	eventually(t, "the cluster is ready", func() bool {
		info := client.ClusterInfo(t.Context()).Val()
		return strings.Contains(info, "cluster_known_nodes:2") && strings.Contains(info, "cluster_state:ok")
	})
	sessiontest.Store(t, func(t *testing.T) session.Store { return &redisstore.Store{Client: connect(t)} })
	sessiontest.Locker(t, func(t *testing.T) sessiontest.Process {
		return sessiontest.Process{Locker: &redisstore.Store{Client: connect(t), Lease: time.Second}, Lease: time.Second}
	})
}

// startCluster starts two nodes, each with half of the slots.
func startCluster(t *testing.T) (addrs []string) {
	t.Helper()
	var nodes []*redis.Client
	for i := range 2 {
		port, bus := freePort(t), freePort(t)
		dir, err := os.MkdirTemp("", "redis")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		s := &server{network: "tcp", addr: fmt.Sprint("127.0.0.1:", port), dir: dir}
		s.config = []string{"bind 127.0.0.1", fmt.Sprint("port ", port), fmt.Sprint("cluster-port ", bus), "cluster-enabled yes",
			"dir " + dir, `save ""`, "loglevel warning"}
		s.start(t)
		t.Cleanup(s.stop)
		node := redis.NewClient(&redis.Options{Addr: s.addr})
		t.Cleanup(func() { node.Close() })
		if err := node.Do(t.Context(), "cluster", "addslotsrange", i*8192, i*8192+8191).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if err := nodes[0].Do(t.Context(), "cluster", "meet", "127.0.0.1", port, bus).Err(); err != nil {
				t.Fatal(err)
			}
		}
		nodes, addrs = append(nodes, node), append(addrs, s.addr)
	}
	eventually(t, "the nodes know each other", func() bool {
		for _, node := range nodes {
			if !strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
				return false
			}
		}
		return true
	})
	return addrs
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
