using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace AspireStreaming.Grpc.Tests;

public sealed class InterceptorTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_interceptor_sees_unary_and_stream_and_can_refuse()
    {
        await using var server = await ProbeServer.StartAsync(options => options.Interceptors.Add<TokenInterceptor>("open sesame"));
        var headers = new Metadata { { "token", "open sesame" } };

        using var unary = server.Client.EchoAsync(new Message { Text = "in" }, headers, cancellationToken: Cancelled);
        Assert.Equal("in", (await unary).Text);
        Assert.Equal("/aspirestreaming.tests.v1.Probe/Echo", unary.GetTrailers().GetValue("intercepted"));

        using var stream = server.Client.Expand(new ExpandRequest { Count = 2 }, headers, cancellationToken: Cancelled);
        Assert.Equal(2, await stream.ResponseStream.ReadAllAsync(Cancelled).CountAsync(Cancelled));

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => server.Client.EchoAsync(new Message(), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.Unauthenticated, failure.StatusCode);
    }

    [Fact]
    public async Task Client_interceptors_run_in_the_order_given()
    {
        await using var server = await ProbeServer.StartAsync();
        using var channel = GrpcChannel.ForAddress(server.Address);
        var client = new Probe.ProbeClient(channel.Intercept(new HeaderInterceptor("outer"), new HeaderInterceptor("inner")));

        using var call = client.EchoAsync(new Message(), cancellationToken: Cancelled);
        var headers = await call.ResponseHeadersAsync;
        await call;

        Assert.Equal(["outer", "inner"], headers.GetAll("echo-order").SelectMany(entry => entry.Value.Split(", ")));
    }

    [Fact]
    public async Task Call_credentials_add_headers()
    {
        await using var server = await ProbeServer.StartAsync();
        using var channel = GrpcChannel.ForAddress(server.Address, new GrpcChannelOptions
        {
            Credentials = ChannelCredentials.Insecure,
            UnsafeUseInsecureChannelCallCredentials = true,
        });
        var credentials = CallCredentials.Compose(
            CallCredentials.FromInterceptor((context, metadata) => Add(metadata, "echo-url", context.ServiceUrl)),
            CallCredentials.FromInterceptor((context, metadata) => Add(metadata, "echo-method", context.MethodName)));

        using var call = new Probe.ProbeClient(channel).EchoAsync(
            new Message(), new CallOptions(cancellationToken: Cancelled).WithCredentials(credentials));
        var headers = await call.ResponseHeadersAsync;
        await call;

        Assert.EndsWith("/aspirestreaming.tests.v1.Probe", headers.GetValue("echo-url"), StringComparison.Ordinal);
        Assert.Equal("Echo", headers.GetValue("echo-method"));

        static Task Add(Metadata metadata, string key, string value)
        {
            metadata.Add(key, value);
            return Task.CompletedTask;
        }
    }

    private sealed class TokenInterceptor(string expected) : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            Check(context);
            return continuation(request, context);
        }

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            Check(context);
            return continuation(request, responseStream, context);
        }

        private void Check(ServerCallContext context)
        {
            if (context.RequestHeaders.GetValue("token") != expected)
            {
                throw new RpcException(new Status(StatusCode.Unauthenticated, "no token"));
            }

            context.ResponseTrailers.Add("intercepted", context.Method);
        }
    }

    private sealed class HeaderInterceptor(string name) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            var headers = new Metadata();
            foreach (var entry in context.Options.Headers ?? Metadata.Empty)
            {
                headers.Add(entry);
            }

            headers.Add("echo-order", name);
            return continuation(
                request,
                new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(headers)));
        }
    }
}
