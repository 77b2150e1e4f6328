using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.Grpc.Tests;

public sealed class CallKindTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Unary_answers()
    {
        await using var server = await ProbeServer.StartAsync();

        var reply = await server.Client.EchoAsync(new Message { Text = "hello" }, cancellationToken: Cancelled);

        Assert.Equal("hello", reply.Text);
    }

    [Fact]
    public async Task Unary_blocking_answers()
    {
        await using var server = await ProbeServer.StartAsync();

        var reply = server.Client.Echo(new Message { Text = "hello" }, cancellationToken: Cancelled);

        Assert.Equal("hello", reply.Text);
    }

    [Fact]
    public async Task Unary_of_4_mebibytes_comes_back_whole()
    {
        await using var server = await ProbeServer.StartAsync(options => options.MaxReceiveMessageSize = null);
        var client = server.CreateClient(new() { MaxReceiveMessageSize = null });
        var data = new byte[4 * 1024 * 1024];
        Random.Shared.NextBytes(data);

        var reply = await client.EchoAsync(new Message { Data = ByteString.CopyFrom(data) }, cancellationToken: Cancelled);

        Assert.Equal(data, reply.Data.ToByteArray());
    }

    [Fact]
    public async Task Client_stream_is_collected_in_order()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client.Collect(cancellationToken: Cancelled);

        foreach (var text in (string[])["a", "b", "c"])
        {
            await call.RequestStream.WriteAsync(new Message { Text = text }, Cancelled);
        }

        await call.RequestStream.CompleteAsync();
        var reply = await call;

        Assert.Equal("abc", reply.Text);
        Assert.Equal(3, reply.Number);
    }

    [Fact]
    public async Task Server_stream_arrives_in_order_and_ends()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client.Expand(new ExpandRequest { Count = 1000, Size = 100 }, cancellationToken: Cancelled);

        var numbers = new List<int>();
        await foreach (var message in call.ResponseStream.ReadAllAsync(Cancelled))
        {
            numbers.Add(message.Number);
        }

        Assert.Equal(Enumerable.Range(1, 1000), numbers);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Duplex_stream_answers_each_message_before_the_next_is_sent()
    {
        await using var server = await ProbeServer.StartAsync();
        using var call = server.Client.Chat(cancellationToken: Cancelled);

        for (var number = 1; number <= 10; number++)
        {
            await call.RequestStream.WriteAsync(new Message { Text = $"ping {number}" }, Cancelled);
            Assert.True(await call.ResponseStream.MoveNext(Cancelled));
            Assert.Equal($"ping {number}", call.ResponseStream.Current.Text);
            Assert.Equal(number, call.ResponseStream.Current.Number);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(Cancelled));
    }
}
