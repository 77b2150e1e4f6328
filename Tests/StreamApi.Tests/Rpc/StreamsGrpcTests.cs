using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Rpc;

public sealed class StreamsGrpcTests(SharedHost shared) : IDisposable
{
    private readonly string _stream = TestLog.NewStream();
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(shared.Host.Grpc);

    private Streams.StreamsClient Client => new(_channel);

    public void Dispose() => _channel.Dispose();

    [Fact]
    public async Task Subscribe_old_and_live_events_come_in_order_and_the_end_completes_the_call()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        await shared.Log.AppendNumbersAsync(_stream, 1, 3);
        using var call = Client.Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: cancellationToken);
        var items = new List<V1.Delivery>();
        while (items.Count < 4 && await call.ResponseStream.MoveNext(cancellationToken))
        {
            items.Add(call.ResponseStream.Current);
        }

        await shared.Log.AppendNumbersAsync(_stream, 4, 1);
        await shared.Log.AppendAsync(_stream, shared.Log.Event("WORKFLOW_COMPLETED", "5"));
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            items.Add(call.ResponseStream.Current);
        }

        Assert.Equal(
            ["1", "2", "3", "stream.caught-up", "4", "5", "stream.end"],
            items.Select(item => item.Event?.Data.ToStringUtf8() ?? item.Control.Name));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Subscribe_an_event_has_all_its_fields()
    {
        var position = (await shared.Log.AppendAsync(_stream, shared.Log.Event("ORDER", "{\"a\": 1}", "x1"))).Last;
        using var call = Client.Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: TestContext.Current.CancellationToken);
        await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);

        var item = call.ResponseStream.Current.Event;

        Assert.Equal("x1", item.Id);
        Assert.Equal("/t", item.Source);
        Assert.Equal("ORDER", item.Type);
        Assert.Equal("2026-01-02T03:04:05Z", item.Time);
        Assert.Equal("application/json", item.Datacontenttype);
        Assert.Equal("{\"a\": 1}", item.Data.ToStringUtf8());
        Assert.Equal(_stream, item.Stream);
        Assert.Equal(position.ToString(), item.Position);
        Assert.Equal(1, item.Sequence);
        Assert.True(Rfc3339.TryParse(item.Recordedtime, out _));
    }

    [Fact]
    public async Task Subscribe_from_types_and_policy_are_obeyed()
    {
        var first = (await shared.Log.AppendAsync(
            _stream, shared.Log.Event("A", "1"), shared.Log.Event("B", "2"), shared.Log.Event("A", "3"))).First;
        using var call = Client.Subscribe(
            new SubscribeRequest { Stream = _stream, From = first.ToString(), Types_ = { "A" } }, cancellationToken: TestContext.Current.CancellationToken);

        await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);

        Assert.Equal("3", call.ResponseStream.Current.Event.Data.ToStringUtf8());
    }

    [Fact]
    public async Task Subscribe_cancelled_the_place_is_given_back()
    {
        using var call = Client.Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: TestContext.Current.CancellationToken);
        await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
        var feed = shared.Host.Get<StreamApi.Delivery.FeedRegistry>().Find(_stream)!;
        Assert.Equal(1, feed.Readers);

        call.Dispose();

        await TestSupport.Eventually.TrueAsync(() => feed.Readers == 0, SseClient.Patience, "the reader is gone", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Subscribe_a_paused_client_misses_nothing()
    {
        var text = $"\"{new string('x', 20_000)}\"";
        using var call = Client.Subscribe(new SubscribeRequest { Stream = _stream }, cancellationToken: TestContext.Current.CancellationToken);
        await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
        for (var number = 0; number < 300; number++)
        {
            await shared.Log.AppendAsync(_stream, shared.Log.Event(data: text));
        }

        for (var number = 1; number <= 300; number++)
        {
            await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
            Assert.Equal(number, call.ResponseStream.Current.Event.Sequence);
        }
    }

    [Theory]
    [InlineData("a b", "", "", 0)]
    [InlineData("s", "yesterday", "", 0)]
    [InlineData("s", "", "sometimes", 0)]
    [InlineData("s", "", "drop", -1)]
    public async Task Subscribe_a_malformed_parameter_is_invalid(string stream, string from, string policy, int lag)
    {
        using var call = Client.Subscribe(
            new SubscribeRequest { Stream = stream, From = from, Policy = policy, Lag = lag }, cancellationToken: TestContext.Current.CancellationToken);

        var fault = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken));

        Assert.Equal(StatusCode.InvalidArgument, fault.StatusCode);
        Assert.Equal("urn:aspirestreaming:problem:invalid-parameter", fault.Trailers.GetValue("problem-type"));
    }

    [Fact]
    public async Task Read_pages_lead_through_the_stream()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var last = (await shared.Log.AppendNumbersAsync(_stream, 1, 5)).Last;

        var first = await Client.ReadAsync(new ReadRequest { Stream = _stream, Limit = 3 }, cancellationToken: cancellationToken);
        var second = await Client.ReadAsync(new ReadRequest { Stream = _stream, From = first.Next }, cancellationToken: cancellationToken);
        var down = await Client.ReadAsync(new ReadRequest { Stream = _stream, Order = "desc", Limit = 1 }, cancellationToken: cancellationToken);
        var beyond = await Client.ReadAsync(
            new ReadRequest { Stream = _stream, From = (last with { Sequence = 9 }).ToString() }, cancellationToken: cancellationToken);

        Assert.Equal(["1", "2", "3"], first.Events.Select(item => item.Data.ToStringUtf8()));
        Assert.False(first.CaughtUp);
        Assert.Equal(["4", "5"], second.Events.Select(item => item.Data.ToStringUtf8()));
        Assert.True(second.CaughtUp);
        Assert.Equal("5", down.Events.Single().Data.ToStringUtf8());
        Assert.Equal("epoch", beyond.Gap.Reason);
        Assert.False(beyond.Gap.HasMissed);
    }

    [Fact]
    public async Task Read_pages_of_large_events_fit_a_client_that_takes_four_mebibytes()
    {
        var text = $"\"{new string('x', 1_000_000)}\"";
        for (var number = 0; number < 6; number++)
        {
            await shared.Log.AppendAsync(_stream, shared.Log.Event(data: text));
        }

        var sequences = new List<long>();
        var page = new ReadResponse();
        while (!page.CaughtUp)
        {
            page = await Client.ReadAsync(
                new ReadRequest { Stream = _stream, From = page.Next }, cancellationToken: TestContext.Current.CancellationToken);
            sequences.AddRange(page.Events.Select(item => item.Sequence));
        }

        Assert.Equal([1, 2, 3, 4, 5, 6], sequences);
    }

    [Fact]
    public async Task Health_serves()
    {
        var health = new Health.HealthClient(_channel);

        var answer = await health.CheckAsync(
            new HealthCheckRequest { Service = "aspirestreaming.v1.Streams" }, cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, answer.Status);
    }
}
