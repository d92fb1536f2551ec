// The application of the comparison, and grpc-gateway before it as it comes out of the box.
//
//	compat app LISTEN
//	compat gateway LISTEN APP
package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "compat/compatpb"
)

type app struct{ pb.UnimplementedCompatServer }

type more struct{ pb.UnimplementedMoreServer }

func announce(stream grpc.ServerTransportStream) {
	_ = stream.SetHeader(metadata.Pairs("x-app", "lead"))
	_ = stream.SetTrailer(metadata.Pairs("x-end", "trail"))
}

func (app) Get(_ context.Context, item *pb.Item) (*pb.Item, error)     { return item, nil }
func (app) Named(_ context.Context, item *pb.Item) (*pb.Item, error)   { return item, nil }
func (app) Deep(_ context.Context, item *pb.Item) (*pb.Item, error)    { return item, nil }
func (app) Create(_ context.Context, item *pb.Item) (*pb.Item, error)  { return item, nil }
func (app) Replace(_ context.Context, item *pb.Item) (*pb.Item, error) { return item, nil }
func (app) Archive(_ context.Context, item *pb.Item) (*pb.Item, error) { return item, nil }
func (app) Plain(_ context.Context, item *pb.Item) (*pb.Item, error)   { return item, nil }

func (app) Update(_ context.Context, update *pb.UpdateRequest) (*pb.UpdateRequest, error) {
	return update, nil
}

func (app) Delete(context.Context, *pb.Item) (*emptypb.Empty, error) { return &emptypb.Empty{}, nil }

func (more) Tags(_ context.Context, item *pb.Item) (*pb.Item, error) {
	item.Tags = []string{"a", "b"}
	return item, nil
}

func (app) See(ctx context.Context, _ *pb.Item) (*pb.Seen, error) {
	seen := &pb.Seen{Metadata: map[string]string{}}
	found, _ := metadata.FromIncomingContext(ctx)
	for name, values := range found {
		seen.Metadata[name] = strings.Join(values, ", ")
	}
	return seen, nil
}

func failure(asked *pb.Failure) error {
	failed := status.New(codes.Code(asked.Code), asked.Message)
	if asked.Details {
		failed, _ = failed.WithDetails(&errdetails.ErrorInfo{Reason: "TOLD", Domain: "compat"})
	}
	return failed.Err()
}

func (app) Fail(_ context.Context, asked *pb.Failure) (*pb.Item, error) {
	return nil, failure(asked)
}

func (app) List(asked *pb.Failure, stream grpc.ServerStreamingServer[pb.Item]) error {
	for at := range asked.Items {
		if err := stream.Send(&pb.Item{Size: int64(at)}); err != nil {
			return err
		}
	}
	return failure(asked)
}

func (app) Collect(stream grpc.ClientStreamingServer[pb.Item, pb.Item]) error {
	all := &pb.Item{}
	for {
		item, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(all)
		}
		if err != nil {
			return err
		}
		all.Size++
		all.Tags = append(all.Tags, item.Title)
	}
}

func (app) Chat(stream grpc.BidiStreamingServer[pb.Item, pb.Item]) error {
	for {
		item, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(item); err != nil {
			return err
		}
	}
}

func (app) Download(_ context.Context, item *pb.Item) (*httpbody.HttpBody, error) {
	return &httpbody.HttpBody{ContentType: "text/csv", Data: []byte("id\n" + item.Id + "\n")}, nil
}

func (app) Upload(_ context.Context, upload *pb.UploadRequest) (*pb.Item, error) {
	return &pb.Item{Name: upload.Name, Title: upload.File.GetContentType(), Data: upload.File.GetData()}, nil
}

func serve(listen string) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			announce(grpc.ServerTransportStreamFromContext(ctx))
			return next(ctx, request)
		}),
		grpc.StreamInterceptor(func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			announce(grpc.ServerTransportStreamFromContext(stream.Context()))
			return next(service, stream)
		}),
	)
	pb.RegisterCompatServer(server, app{})
	pb.RegisterMoreServer(server, more{})
	log.Fatal(server.Serve(listener))
}

func main() {
	if os.Args[1] == "app" {
		serve(os.Args[2])
	}
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	for _, register := range []func(context.Context, *runtime.ServeMux, string, []grpc.DialOption) error{
		pb.RegisterCompatHandlerFromEndpoint,
		pb.RegisterMoreHandlerFromEndpoint,
	} {
		if err := register(context.Background(), mux, os.Args[3], options); err != nil {
			log.Fatal(err)
		}
	}
	log.Fatal(http.ListenAndServe(os.Args[2], mux))
}
