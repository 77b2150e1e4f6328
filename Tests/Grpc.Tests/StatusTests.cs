using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.Grpc.Tests;

public sealed class StatusTests
{
    public static TheoryData<StatusCode> Failures => [.. Enum.GetValues<StatusCode>().Where(code => code != StatusCode.OK)];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task RpcException_reaches_the_client_with_detail_and_trailers(StatusCode code)
    {
        await using var server = await ProbeServer.StartAsync();
        var request = new FailRequest { Code = (int)code, Detail = "100% ümlaut\nsecond line" };

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => server.Client.FailAsync(request, cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(code, failure.StatusCode);
        Assert.Equal(request.Detail, failure.Status.Detail);
        Assert.Equal("asked for", failure.Trailers.GetValue("reason"));
    }

    [Fact]
    public async Task Other_exception_is_Unknown_and_says_nothing_of_itself()
    {
        await using var server = await ProbeServer.StartAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => server.Client.FailAsync(new FailRequest { Code = -1, Detail = "secret" }, cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(StatusCode.Unknown, failure.StatusCode);
        Assert.DoesNotContain("secret", failure.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_that_fails_delivers_what_came_before_and_then_the_status()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client.Expand(new ExpandRequest { Count = 10, FailAfter = 3 }, cancellationToken: Cancelled);

        var received = 0;
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (var _ in call.ResponseStream.ReadAllAsync(Cancelled))
            {
                received++;
            }
        });

        Assert.Equal(3, received);
        Assert.Equal(StatusCode.DataLoss, failure.StatusCode);
        Assert.Equal(StatusCode.DataLoss, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Message_over_the_servers_limit_is_ResourceExhausted()
    {
        await using var server = await ProbeServer.StartAsync(options => options.MaxReceiveMessageSize = 1000);
        var request = new Message { Data = ByteString.CopyFrom(new byte[1001]) };

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => server.Client.EchoAsync(request, cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [Fact]
    public async Task Message_over_the_clients_limit_is_ResourceExhausted()
    {
        await using var server = await ProbeServer.StartAsync();
        var client = server.CreateClient(new GrpcChannelOptions { MaxReceiveMessageSize = 1000 });
        var request = new Message { Data = ByteString.CopyFrom(new byte[1001]) };

        var failure = await Assert.ThrowsAsync<RpcException>(() => client.EchoAsync(request, cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [Fact]
    public async Task Method_that_the_server_lacks_is_Unimplemented()
    {
        await using var server = await ProbeServer.StartAsync();
        var method = new Method<string, string>(
            MethodType.Unary, "no.such.Service", "Call", Marshallers.StringMarshaller, Marshallers.StringMarshaller);
        using var channel = GrpcChannel.ForAddress(server.Address);

        var failure = await Assert.ThrowsAsync<RpcException>(() => channel.CreateCallInvoker()
            .AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Cancelled), "hello").ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, failure.StatusCode);
    }

    [Fact]
    public async Task Server_that_is_not_there_is_Unavailable()
    {
        Uri address;
        await using (var server = await ProbeServer.StartAsync())
        {
            address = server.Address;
        }

        using var channel = GrpcChannel.ForAddress(address);

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => new Probe.ProbeClient(channel).EchoAsync(new Message(), cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
    }
}
