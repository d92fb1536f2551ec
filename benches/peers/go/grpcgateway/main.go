// grpc-gateway v2 in front of the backend, as its documentation sets it up for a gRPC server that
// runs elsewhere. Its marshaler is told to leave out what is not set, as the others do.
//
//	grpcgateway LISTEN BACKEND
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	yardv1 "peers/gen/yard/v1"
)

func main() {
	listen, backend := os.Args[1], os.Args[2]
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.HTTPBodyMarshaler{
			Marshaler: &runtime.JSONPb{
				MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: false},
				UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
			},
		}),
	)
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8 << 20)),
	}
	if err := yardv1.RegisterYardHandlerFromEndpoint(context.Background(), mux, backend, options); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(listen, mux))
}
