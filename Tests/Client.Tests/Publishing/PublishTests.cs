using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Publishing;

/// <summary>The publisher against a real Publisher API and hot log.</summary>
public sealed class PublishTests(Servers servers)
{
    private readonly string _stream = Servers.NewStream();
    private readonly EventPublisher _publisher = servers.CreatePublisher();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PublishAsync_one_event_is_delivered_with_every_attribute()
    {
        var time = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.FromHours(2));
        var receipt = await _publisher.PublishAsync(
            _stream,
            NewEvent.Json("token", new { text = "Grüße" }) with
            {
                Id = "my-id",
                Source = "/agents/7",
                Subject = "chat",
                Time = time,
                Critical = true,
                Extensions = new Dictionary<string, string> { ["tenant"] = "a\"b" },
            },
            cancellationToken: Token);

        Assert.Equal((1, 0), (receipt.Accepted, receipt.Duplicates));
        Assert.Equal(receipt.First, receipt.Last);
        var item = Assert.Single(await ReadAsync());
        Assert.Equal((_stream, "my-id", "/agents/7", "token", "chat"), (item.Stream, item.Id, item.Source, item.Type, item.Subject));
        Assert.Equal((receipt.First, time, "application/json"), (item.Position, item.Time, item.DataContentType));
        Assert.Equal("a\"b", item.Attributes["tenant"]);
        Assert.Equal("true", item.Attributes["critical"]);
        Assert.NotEqual(default, item.RecordedTime);
        Assert.Equal("Grüße", item.ReadData<JsonElement>().GetProperty("text").GetString());
    }

    [Fact]
    public async Task PublishAsync_data_of_every_kind_comes_back_as_it_was()
    {
        byte[] bytes = [0, 255, 10, 13];
        await _publisher.PublishAsync(
            _stream,
            [
                NewEvent.Text("t", "line 1\nline 2 €"),
                NewEvent.Binary("b", bytes),
                new NewEvent("j") { Data = "{\n \"n\": 12345678901234567890123 }"u8.ToArray() },
                new NewEvent("none"),
            ],
            cancellationToken: Token);

        var events = await ReadAsync();

        Assert.Equal("line 1\nline 2 €", Encoding.UTF8.GetString(events[0].Data.Span));
        Assert.Equal(bytes, events[1].Data.ToArray());
        Assert.Equal("application/octet-stream", events[1].DataContentType);
        Assert.Equal("{\"n\":12345678901234567890123}", Encoding.UTF8.GetString(events[2].Data.Span));
        Assert.True(events[3].Data.IsEmpty);
    }

    [Fact]
    public async Task PublishAsync_batch_is_all_or_none()
    {
        var fault = await Assert.ThrowsAsync<ApiException>(() => _publisher.PublishAsync(
            _stream, [Numbers.Event(1), Numbers.Event(2) with { Type = "stream.mine" }], cancellationToken: Token));

        Assert.Equal(HttpStatusCode.BadRequest, fault.Status);
        Assert.Equal(("urn:aspirestreaming:problem:invalid-event", "type", 1), (fault.Problem.Type, fault.Problem.Field, fault.Problem.Index));
        Assert.Empty(await ReadAsync());
        Assert.Equal(2, (await _publisher.PublishAsync(_stream, [Numbers.Event(1), Numbers.Event(2)], cancellationToken: Token)).Accepted);
    }

    [Fact]
    public async Task PublishAsync_unexpected_position_says_where_the_stream_stands()
    {
        var options = new PublishOptions { Expected = StreamPosition.Zero };
        var first = await _publisher.PublishAsync(_stream, Numbers.Event(1), options, Token);

        var fault = await Assert.ThrowsAsync<ApiException>(() => _publisher.PublishAsync(_stream, Numbers.Event(2), options, Token));

        Assert.Equal((HttpStatusCode.Conflict, first.Last), (fault.Status, fault.Problem.Current));
        Assert.Equal(1, (await _publisher.PublishAsync(_stream, Numbers.Event(2), new PublishOptions { Expected = first.Last }, Token)).Accepted);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task PublishAsync_repeats_what_got_no_answer_without_appending_it_twice(int lost)
    {
        await using var relay = new TcpRelay(servers.Publisher.Http);
        using var http = new HttpClient { BaseAddress = relay.Url };
        var publisher = new EventPublisher(http);
        relay.LoseAnswers(lost);

        // No ids: the publisher makes them, once.
        var receipt = await publisher.PublishAsync(_stream, [new NewEvent("a"), new NewEvent("b")], cancellationToken: Token);

        Assert.Equal(lost, relay.AnswersLost);
        Assert.Equal((0, 2), (receipt.Accepted, receipt.Duplicates));
        Assert.Equal(["a", "b"], (await ReadAsync()).Select(static item => item.Type));
    }

    [Fact]
    public async Task PublishAsync_sequence_is_appended_in_order_and_once_although_answers_get_lost()
    {
        await using var relay = new TcpRelay(servers.Publisher.Http);
        using var http = new HttpClient { BaseAddress = relay.Url };
        var receipts = new List<PublishReceipt>();
        var options = new PublishOptions
        {
            Acknowledged = receipt =>
            {
                receipts.Add(receipt);
                relay.LoseAnswers(receipts.Count % 2);
            },
        };

        var total = await new EventPublisher(http).PublishAsync(_stream, Sequence(3_500), options, Token);

        Assert.True(relay.AnswersLost > 0);
        Assert.Equal(3_500, total!.Accepted + total.Duplicates);
        Assert.Equal(3_500, receipts.Sum(static receipt => receipt.Accepted + receipt.Duplicates));
        Assert.Equal(
            Enumerable.Range(1, 3_500),
            (await ReadAsync()).Select(static item => int.Parse(Encoding.UTF8.GetString(item.Data.Span), CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task PublishAsync_sequence_that_pauses_is_not_held_back()
    {
        var pause = new TaskCompletionSource();
        var acknowledged = new TaskCompletionSource();
        var publishing = _publisher.PublishAsync(
            _stream, Pausing(), new PublishOptions { Acknowledged = _ => acknowledged.TrySetResult() }, Token);

        await acknowledged.Task.WaitAsync(TimeSpan.FromSeconds(20), Token);
        Assert.Single(await ReadAsync());
        pause.SetResult();

        Assert.Equal(2, (await publishing)!.Accepted);

        async IAsyncEnumerable<NewEvent> Pausing()
        {
            yield return Numbers.Event(1);
            await pause.Task;
            yield return Numbers.Event(2);
        }
    }

    [Fact]
    public async Task PublishAsync_empty_sequence_publishes_nothing() =>
        Assert.Null(await _publisher.PublishAsync(_stream, Sequence(0), cancellationToken: Token));

    [Fact]
    public async Task PublishAsync_sequence_that_is_refused_keeps_what_was_acknowledged()
    {
        var acknowledged = 0L;
        var options = new PublishOptions { Acknowledged = receipt => acknowledged += receipt.Accepted };

        await Assert.ThrowsAsync<ApiException>(() => _publisher.PublishAsync(_stream, Refused(), options, Token));

        Assert.Equal(1_000, acknowledged);
        Assert.InRange((await ReadAsync()).Count, 1_000, 1_001);

        static async IAsyncEnumerable<NewEvent> Refused()
        {
            await foreach (var item in Sequence(1_001))
            {
                yield return item;
            }

            yield return new NewEvent("stream.mine");
        }
    }

    [Fact]
    public async Task DeleteAsync_known_stream_is_gone()
    {
        Assert.False(await _publisher.DeleteAsync(_stream, cancellationToken: Token));
        await _publisher.PublishAsync(_stream, Numbers.Event(1), cancellationToken: Token);

        Assert.True(await _publisher.DeleteAsync(_stream, cancellationToken: Token));
        Assert.Empty(await ReadAsync());
    }

    [Fact]
    public async Task PublishAsync_name_that_is_none_is_refused_before_it_is_sent() =>
        await Assert.ThrowsAsync<ArgumentException>(() => _publisher.PublishAsync("../x", Numbers.Event(1), cancellationToken: Token));

    private static async IAsyncEnumerable<NewEvent> Sequence(int count)
    {
        await Task.CompletedTask;
        for (var number = 1; number <= count; number++)
        {
            yield return Numbers.Event(number);
        }
    }

    private async Task<List<StreamEvent>> ReadAsync()
    {
        using var subscriber = servers.CreateSubscriber();
        var events = new List<StreamEvent>();
        await foreach (var item in subscriber.ReadAsync(_stream, cancellationToken: Token))
        {
            events.Add(item);
        }

        return events;
    }
}
