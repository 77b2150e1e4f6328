using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Grpc.Core;

namespace AspireStreaming.Grpc.Tests;

public sealed class CancellationTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Deadline_ends_the_call_on_both_sides()
    {
        await using var server = await ProbeServer.StartAsync();
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(300);

        var failure = await Assert.ThrowsAsync<RpcException>(
            () => server.Client.HangAsync(new Message { Text = "late" }, deadline: deadline, cancellationToken: Cancelled).ResponseAsync);

        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        await server.Calls.Cancelled("late").WaitAsync(Patience, Cancelled);
    }

    [Fact]
    public async Task Unary_cancelled_by_token_ends_on_both_sides()
    {
        await using var server = await ProbeServer.StartAsync();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var call = server.Client.HangAsync(new Message { Text = "unary" }, cancellationToken: source.Token);
        await server.Calls.Started("unary").WaitAsync(Patience, Cancelled);

        await source.CancelAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal(StatusCode.Cancelled, failure.StatusCode);
        await server.Calls.Cancelled("unary").WaitAsync(Patience, Cancelled);
    }

    [Fact]
    public async Task Stream_cancelled_by_token_ends_on_both_sides()
    {
        await using var server = await ProbeServer.StartAsync();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        using var call = server.Client.Expand(
            new ExpandRequest { Text = "token", HangAfter = 1 }, cancellationToken: source.Token);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        var next = call.ResponseStream.MoveNext(CancellationToken.None);

        await source.CancelAsync();

        var failure = await Assert.ThrowsAsync<RpcException>(() => next);
        Assert.Equal(StatusCode.Cancelled, failure.StatusCode);
        await server.Calls.Cancelled("token").WaitAsync(Patience, Cancelled);
    }

    [Fact]
    public async Task Stream_that_the_client_disposes_ends_on_the_server()
    {
        await using var server = await ProbeServer.StartAsync();
        var call = server.Client.Expand(new ExpandRequest { Text = "dispose" }, cancellationToken: Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));

        call.Dispose();

        await server.Calls.Cancelled("dispose").WaitAsync(Patience, Cancelled);
    }

    [Fact]
    public async Task Hundred_hot_streams_cancelled_at_once_leave_the_server_answering()
    {
        await using var server = await ProbeServer.StartAsync();
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var names = Enumerable.Range(0, 100).Select(number => $"hot {number}").ToList();
        var readers = names.ConvertAll(name => ReadToTheEndAsync(server.Client, name, source.Token));
        await Task.WhenAll(names.Select(server.Calls.Started)).WaitAsync(Patience, Cancelled);

        await source.CancelAsync();
        var reply = await server.Client.EchoAsync(
            new Message { Text = "still here" },
            deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(5),
            cancellationToken: Cancelled);

        Assert.Equal("still here", reply.Text);
        await Task.WhenAll(names.Select(server.Calls.Cancelled)).WaitAsync(Patience, Cancelled);
        await Task.WhenAll(readers).WaitAsync(Patience, Cancelled);
    }

    private static async Task ReadToTheEndAsync(Probe.ProbeClient client, string name, CancellationToken cancellationToken)
    {
        using var call = client.Expand(new ExpandRequest { Text = name, Size = 200 }, cancellationToken: cancellationToken);
        try
        {
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
            }
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            // As asked. Usually Cancelled; Unavailable when the read sees the aborted HTTP/2 stream before the client's own token.
        }
    }
}
