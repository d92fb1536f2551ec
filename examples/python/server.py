"""A small gRPC application in Python, with reflection (v1alpha, all that Python has).

README.md beside this file tells how to run it.
"""

import sys
from concurrent import futures

import greeter_pb2
import greeter_pb2_grpc
import grpc
from grpc_reflection.v1alpha import reflection


class Greeter(greeter_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):
        if not request.name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "name is missing")
        if request.name == "nobody":
            context.abort(grpc.StatusCode.NOT_FOUND, "nobody is not here")
        formal = request.tone == greeter_pb2.TONE_FORMAL
        text = f"Good day, {request.name}." if formal else f"Hi {request.name}!"
        return greeter_pb2.GreetReply(text=text, number=1)

    def Repeat(self, request, context):
        for number in range(1, request.times + 1):
            yield greeter_pb2.GreetReply(text=f"Hi {request.name}!", number=number)

    def Count(self, requests, context):
        return greeter_pb2.CountReply(people=sum(1 for _ in requests))


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    service = greeter_pb2.DESCRIPTOR.services_by_name["Greeter"].full_name
    reflection.enable_server_reflection([service, reflection.SERVICE_NAME], server)
    port = server.add_insecure_port(f"127.0.0.1:{sys.argv[1] if len(sys.argv) > 1 else 50051}")
    server.start()
    print(f"listening on {port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
