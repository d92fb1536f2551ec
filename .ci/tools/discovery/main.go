// What etcd's own package for gRPC, clientv3/naming, sees of the gateway, and tells it.
//
//	naming list ETCD TARGET             prints one place a line, with its metadata
//	naming add ETCD TARGET ADDR [JSON]  puts a place there, without a lease
//	naming delete ETCD TARGET ADDR
//	naming call ETCD TARGET             calls through its gRPC resolver: grpc.health.v1 of who is there
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("naming list|add|delete|call ETCD TARGET [ADDR [JSON]]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{args[1]}, DialTimeout: 10 * time.Second})
	if err != nil {
		return err
	}
	defer client.Close()
	target := args[2]
	manager, err := endpoints.NewManager(client, target)
	if err != nil {
		return err
	}
	switch args[0] {
	case "list":
		found, err := manager.List(ctx)
		if err != nil {
			return err
		}
		var lines []string
		for key, one := range found {
			metadata, err := json.Marshal(one.Metadata)
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s %s %s", key, one.Addr, metadata))
		}
		sort.Strings(lines)
		for _, line := range lines {
			fmt.Println(line)
		}
		return nil
	case "add":
		var metadata any
		if len(args) > 4 {
			if err := json.Unmarshal([]byte(args[4]), &metadata); err != nil {
				return err
			}
		}
		return manager.AddEndpoint(ctx, target+"/"+args[3], endpoints.Endpoint{Addr: args[3], Metadata: metadata})
	case "delete":
		return manager.DeleteEndpoint(ctx, target+"/"+args[3])
	case "call":
		builder, err := resolver.NewBuilder(client)
		if err != nil {
			return err
		}
		// grpc-go takes the target for the authority, in which HTTP/2 allows no slash.
		connection, err := grpc.Dial("etcd:///"+target, grpc.WithResolvers(builder), grpc.WithAuthority("gateway"),
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer connection.Close()
		answer, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			return err
		}
		fmt.Println(answer.Status)
		return nil
	}
	return fmt.Errorf("unknown: %s", args[0])
}
