using System.Net;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class PublishRateTests(Servers servers)
{
    private const string Body = """{"type":"T"}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Take_beyond_the_burst_waits_for_the_rate()
    {
        var time = new StoppedTime();
        var rate = Rate(time, perSecond: 10, burst: 5);

        Assert.Equal(TimeSpan.Zero, rate.Take("a", 4));
        Assert.Equal(TimeSpan.FromSeconds(2), rate.Take("a", 20));
        Assert.Equal(TimeSpan.Zero, rate.WaitOf("b"));
        time.Now += TimeSpan.FromSeconds(1.5);
        Assert.Equal(0.5, rate.WaitOf("a").TotalSeconds, 3);
        time.Now += TimeSpan.FromSeconds(0.6);
        Assert.Equal(TimeSpan.Zero, rate.WaitOf("a"));
        time.Now += TimeSpan.FromHours(1);
        Assert.True(rate.Take("a", 5) > TimeSpan.Zero, "More than the burst was saved up.");
    }

    [Fact]
    public void Take_of_more_callers_than_are_remembered_forgets_the_quietest()
    {
        var time = new StoppedTime();
        var rate = Rate(time, perSecond: 0.001, burst: 1, callers: 16);
        rate.Take("busy", 1);
        for (var number = 0; number < 40; number++)
        {
            time.Now += TimeSpan.FromMilliseconds(1);
            rate.Take($"c{number}", 1);
            Assert.True(rate.WaitOf("busy") > TimeSpan.Zero);
        }

        Assert.Equal(TimeSpan.Zero, rate.WaitOf("c0"));
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    public void CallerOf_anonymous_is_the_network(string address, string expected)
    {
        var services = new ServiceCollection().AddOptions().BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = services };
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);

        Assert.Equal(expected, Rate(new StoppedTime(), 1, 1).CallerOf(context));
    }

    [Fact]
    public async Task Publish_faster_than_the_rate_is_429_with_Retry_After()
    {
        await using var publisher = await StartAsync(perSecond: 0.1, burst: 3);
        var stream = PublisherHost.NewStream("rate");

        (await publisher.PostAsync(stream, $"[{Body},{Body}]")).ShouldBeOk(2);
        (await publisher.PostAsync(stream, $"[{Body},{Body}]")).ShouldBeOk(2);
        var refused = (await publisher.PostAsync(stream, Body)).ShouldBe(HttpStatusCode.TooManyRequests, "rate-limited");

        Assert.InRange(refused.RetryAfter!.Value.TotalSeconds, 1, 20);
        Assert.Equal(4, (await publisher.ReadAsync(stream)).Length);
    }

    [Fact]
    public async Task Grpc_publish_faster_than_the_rate_is_RESOURCE_EXHAUSTED()
    {
        await using var publisher = await StartAsync(perSecond: 0.1, burst: 1);
        var client = new Publisher.PublisherClient(publisher.Grpc);
        var request = new PublishRequest { Stream = PublisherHost.NewStream("rate"), Events = { new Event { Type = "T" } } };
        await client.PublishAsync(request, cancellationToken: Cancel);

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await client.PublishAsync(request, cancellationToken: Cancel));

        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Equal("urn:aspirestreaming:problem:rate-limited", refused.Trailers.GetValue("problem-type"));
        Assert.NotNull(refused.Trailers.GetValue("retry-after"));
    }

    [Fact]
    public async Task Upload_faster_than_the_rate_is_slowed_down_and_not_refused()
    {
        await using var publisher = await StartAsync(perSecond: 200, burst: 10, "--Publisher:NdjsonChunkEvents=10");
        var stream = PublisherHost.NewStream("rate");

        var answer = await publisher.PostAsync(
            stream, string.Concat(Enumerable.Repeat(Body + "\n", 100)), "application/x-ndjson");

        answer.ShouldBeOk(100);
    }

    [Fact]
    public async Task Upload_that_waits_for_its_rate_ends_with_the_service()
    {
        await using var publisher = await StartAsync(perSecond: 0.01, burst: 1, "--Publisher:NdjsonChunkEvents=1");
        var stream = PublisherHost.NewStream("rate");
        using var upload = await OpenUpload.StartAsync(publisher, stream, $"{Body}\n{Body}\n{Body}\n");
        await TestSupport.Eventually.TrueAsync(
            async () => (await publisher.ReadAsync(stream)).Length == 1, TimeSpan.FromSeconds(20), "the first event is appended", Cancel);

        var stop = publisher.StopAsync();
        var answer = (await upload.ReadAnswerAsync()).ShouldBe(HttpStatusCode.ServiceUnavailable, "draining");
        await stop;

        answer.WithNumber("accepted", 1).WithNumber("line", 2);
    }

    [Fact]
    public async Task Grpc_publish_stream_faster_than_the_rate_is_slowed_down_and_not_refused()
    {
        await using var publisher = await StartAsync(perSecond: 50, burst: 2);
        var stream = PublisherHost.NewStream("rate");
        using var call = new Publisher.PublisherClient(publisher.Grpc).PublishStream(cancellationToken: Cancel);
        for (var number = 0; number < 20; number++)
        {
            await call.RequestStream.WriteAsync(new PublishRequest { Stream = stream, Events = { new Event { Type = "T" } } }, Cancel);
        }

        await call.RequestStream.CompleteAsync();
        var answered = 0;
        while (await call.ResponseStream.MoveNext(Cancel))
        {
            answered++;
        }

        Assert.Equal(20, answered);
        Assert.Equal(20, (await publisher.ReadAsync(stream)).Length);
    }

    private static PublishRate Rate(TimeProvider time, double perSecond, int burst, int callers = 100) => new(
        Options.Create(new PublishRateOptions { EventsPerSecond = perSecond, Burst = burst, MaxCallers = callers }), time);

    private Task<PublisherHost> StartAsync(double perSecond, int burst, params string[] more) => PublisherHost.StartAsync(
        servers.Redis,
        servers.Archive,
        [
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"--Publisher:RateLimit:EventsPerSecond={perSecond}"),
            $"--Publisher:RateLimit:Burst={burst}",
            .. more,
        ]);

    private sealed class StoppedTime : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromDays(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
