// The main application of the example: a gRPC service in Go that knows nothing of Sidegate. It
// offers reflection and health, which is all that the gateway asks for.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/examples/helloworld/helloworld"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

type greeter struct {
	helloworld.UnimplementedGreeterServer
}

func (greeter) SayHello(_ context.Context, request *helloworld.HelloRequest) (*helloworld.HelloReply, error) {
	if request.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "a name is needed")
	}
	return &helloworld.HelloReply{Message: "Hello " + request.GetName()}, nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:50051", "where to listen; the gateway is on the same loopback")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Error("cannot listen", "error", err)
		os.Exit(1)
	}
	server := grpc.NewServer()
	helloworld.RegisterGreeterServer(server, greeter{})
	alive := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, alive)
	reflection.Register(server)

	stop, done := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer done()
	go func() {
		<-stop.Done()
		alive.Shutdown()
		server.GracefulStop()
	}()
	log.Info("listening", "address", listener.Addr().String())
	if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		log.Error("serving ended", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}
