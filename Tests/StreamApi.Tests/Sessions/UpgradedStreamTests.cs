using System.IO.Pipelines;
using System.Net.Sockets;
using AspireStreaming.StreamApi.Sessions.WebSockets;
using AspireStreaming.TestSupport;
using AspireStreaming.Transport;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Tests.Sessions;

public sealed class UpgradedStreamTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private readonly MemoryStream _request = new();
    private SocketPair _sockets = null!;
    private SocketPipeWriter _output = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _sockets = await SocketPair.ConnectAsync(Cancel);
        _output = new SocketPipeWriter(_sockets.Server, new Pipe().Reader);
    }

    public ValueTask DisposeAsync()
    {
        _sockets.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task FlushMessagesAsync_passes_the_request_by_where_it_writes_to_the_socket()
    {
        await using var stream = await UpgradeAsync(_output);
        stream.AddMessage("one"u8);
        stream.AddMessage("t"u8, "w"u8, "o"u8);

        Assert.Equal(10, stream.Pending);
        Assert.False(await stream.FlushMessagesAsync());

        Assert.Equal(0, stream.Pending);
        Assert.Equal([0x81, 3, .. "one"u8, 0x81, 3, .. "two"u8], await ReceiveAsync(10));
        Assert.Equal(0, _request.Length);
    }

    [Fact]
    public async Task FlushMessagesAsync_uses_the_request_where_something_lies_between_it_and_the_socket()
    {
        await using var stream = await UpgradeAsync(new Duplex(new Pipe()));
        stream.AddMessage("one"u8);

        Assert.False(await stream.FlushMessagesAsync());

        Assert.Equal([0x81, 3, .. "one"u8], _request.ToArray());
    }

    [Fact]
    public async Task FlushMessagesAsync_what_the_socket_does_not_take_is_waited_for_and_stays_as_it_was()
    {
        const int Length = 100_000;
        const int Messages = 320;
        await using var stream = await UpgradeAsync(_output);
        var message = new byte[Length];
        for (var index = 0; index < Messages; index++)
        {
            Array.Fill(message, (byte)index);
            stream.AddMessage(message);
        }

        var flush = stream.FlushMessagesAsync().AsTask();
        Assert.False(flush.IsCompleted);

        // The batch's buffer is anybody's again; what is written next must not show up in it.
        Array.Fill(message, (byte)'x');
        stream.AddMessage(message);
        var received = await ReceiveAsync(Messages * (Length + 10));

        Assert.True(await flush.WaitAsync(Deadline, Cancel));
        for (var index = 0; index < Messages; index++)
        {
            Assert.Equal(-1, received.AsSpan((index * (Length + 10)) + 10, Length).IndexOfAnyExcept((byte)index));
        }
    }

    [Fact]
    public async Task FlushMessagesAsync_the_client_is_gone_and_it_tells()
    {
        await using var stream = await UpgradeAsync(_output);
        _sockets.Server.Dispose();
        stream.AddMessage("one"u8);

        Assert.Null(await stream.FlushMessagesAsync());
    }

    private async Task<UpgradedStream> UpgradeAsync(IDuplexPipe transport)
    {
        var feature = new UpgradeFeature(new Request(_request), new Connection(transport));
        await feature.UpgradeAsync();
        return feature.Stream!;
    }

    private async Task<byte[]> ReceiveAsync(int length)
    {
        var bytes = new byte[length];
        using var stream = new NetworkStream(_sockets.Client);
        await stream.ReadExactlyAsync(bytes, Cancel).AsTask().WaitAsync(Deadline, Cancel);
        return bytes;
    }

    private sealed class Request(Stream stream) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => Task.FromResult(stream);
    }

    private sealed class Connection(IDuplexPipe transport) : IConnectionTransportFeature
    {
        public IDuplexPipe Transport { get; set; } = transport;
    }

    private sealed class Duplex(Pipe pipe) : IDuplexPipe
    {
        public PipeReader Input => pipe.Reader;

        public PipeWriter Output => pipe.Writer;
    }
}
