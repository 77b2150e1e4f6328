using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>What only sessions have: windows and durable cursors.</summary>
public sealed class SessionTests(Servers servers)
{
    private readonly string _stream = Servers.NewStream();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Durable_cursor_goes_on_behind_what_was_done_with()
    {
        var cursor = new SubscribeOptions { Transport = StreamTransport.WebSocket, Cursor = $"c-{Guid.NewGuid():N}" };
        await PublishAsync(10);

        // The fourth was delivered, but nobody asked for a fifth: it may not have been dealt with.
        Assert.Equal([1, 2, 3, 4], await TakeAsync(cursor, 4));
        Assert.Equal([4, 5, 6], await TakeAsync(cursor, 3));
        Assert.Equal([1, 2], await TakeAsync(cursor with { From = StartAt.Beginning }, 2));
    }

    [Fact]
    public async Task Durable_cursor_stands_at_the_end_of_a_stream_that_was_read_to_its_end()
    {
        var cursor = new SubscribeOptions { Transport = StreamTransport.WebSocket, Cursor = $"c-{Guid.NewGuid():N}" };
        await PublishAsync(3);
        await servers.CreatePublisher().PublishAsync(_stream, new NewEvent("STREAM_END"), cancellationToken: Token);

        Assert.Equal([1, 2, 3], await TakeAsync(cursor, int.MaxValue));
        Assert.Empty(await TakeAsync(cursor, int.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(0)]
    [InlineData(null)]
    public async Task Window_of_any_size_passes_everything(int? window)
    {
        await PublishAsync(300);

        var numbers = await TakeAsync(new SubscribeOptions { Transport = StreamTransport.WebSocket, Window = window }, 300);

        Assert.Equal(Enumerable.Range(1, 300), numbers);
    }

    [Fact]
    public async Task Cursor_that_another_takes_over_ends_the_first_with_409()
    {
        var cursor = new SubscribeOptions { Transport = StreamTransport.WebSocket, Cursor = $"c-{Guid.NewGuid():N}" };
        await PublishAsync(1);
        using var subscriber = servers.CreateSubscriber();
        var numbers = new List<int>();
        var first = subscriber.CollectAsync(_stream, cursor, numbers, Token);
        await Numbers.ReachAsync(numbers, 1, Token);

        await TakeAsync(cursor with { From = StartAt.Beginning }, 1);

        var fault = await Assert.ThrowsAsync<ApiException>(() => first.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(System.Net.HttpStatusCode.Conflict, fault.Status);
    }

    private async Task PublishAsync(int count) =>
        await servers.CreatePublisher().PublishAsync(_stream, [.. Enumerable.Range(1, count).Select(Numbers.Event)], cancellationToken: Token);

    private async Task<List<int>> TakeAsync(SubscribeOptions options, int count)
    {
        using var subscriber = servers.CreateSubscriber();
        var numbers = new List<int>();
        await foreach (var item in subscriber.SubscribeAsync(_stream, options, Token))
        {
            if (item.Type == "token")
            {
                numbers.Add(item.ReadData<int>());
            }

            if (numbers.Count == count)
            {
                break;
            }
        }

        return numbers;
    }
}
