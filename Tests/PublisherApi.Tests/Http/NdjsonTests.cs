using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.TestSupport;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class NdjsonTests(Servers servers)
{
    private const string Ndjson = "application/x-ndjson";

    private readonly PublisherHost _publisher = servers.Publisher;

    [Fact]
    public async Task Post_lines_are_appended_in_order()
    {
        var stream = PublisherHost.NewStream("ndjson");

        var answer = (await _publisher.PostAsync(stream, "{\"type\":\"A\"}\r\n\n  \r\n { \"type\" : \"B\" } \n\r\n{\"type\":\"C\"}", Ndjson)).ShouldBeOk(3);

        Assert.Equal(["A", "B", "C"], (await _publisher.ReadAsync(stream)).Select(TypeOf));
        Assert.Equal((1, 3), (answer.First.Sequence, answer.Last.Sequence));
        Assert.Equal("log", answer.Json.GetProperty("durability").GetString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\r\n  \n")]
    public async Task Post_without_events_is_refused(string body) =>
        (await _publisher.PostAsync(PublisherHost.NewStream("ndjson"), body, Ndjson)).ShouldBe(HttpStatusCode.BadRequest, "invalid-event");

    [Fact]
    public async Task Post_10000_lines_with_a_bad_one_keeps_what_came_before()
    {
        var stream = PublisherHost.NewStream("ndjson");
        var lines = Enumerable.Range(1, 10_000).Select(
            line => line == 5_001 ? "{\"type\":\"T\",\"data\":[1,}" : $$"""{"type":"T","id":"{{line}}","data":{{line}}}""");

        var answer = (await _publisher.PostAsync(stream, GeneratedContent.Lines(lines))).ShouldBe(
            HttpStatusCode.BadRequest, "invalid-json");

        answer.WithNumber("line", 5_001).WithNumber("accepted", 5_000).WithNumber("duplicates", 0);
        var kept = await _publisher.ReadAsync(stream);
        Assert.Equal(5_000, kept.Length);
        Assert.Equal(Enumerable.Range(1, 5_000), kept.Select(json => JsonDocument.Parse(json).RootElement.GetProperty("data").GetInt32()));
        Assert.Equal((1, 5_000), (answer.First.Sequence, answer.Last.Sequence));
    }

    [Fact]
    public async Task Post_again_after_a_break_appends_only_the_rest()
    {
        var stream = PublisherHost.NewStream("ndjson");
        static IEnumerable<string> Lines(int count) => Enumerable.Range(1, count).Select(line => $$"""{"type":"T","id":"{{line}}"}""");
        (await _publisher.PostAsync(stream, GeneratedContent.Lines(Lines(700)), "?expected=0-0")).ShouldBeOk(700);

        (await _publisher.PostAsync(stream, GeneratedContent.Lines(Lines(1_700)), "?expected=0-0")).ShouldBeOk(1_000, 700);

        Assert.Equal(1_700, (await _publisher.ReadAsync(stream)).Length);
        (await _publisher.PostAsync(stream, "{\"type\":\"T\"}\n{\"type\":\"T\"}\n", Ndjson, "?expected=0-0"))
            .ShouldBe(HttpStatusCode.Conflict, "position-mismatch").WithNumber("line", 1).WithNumber("accepted", 0);
    }

    [Fact]
    public async Task Post_line_after_a_terminal_event_is_refused()
    {
        var stream = PublisherHost.NewStream("ndjson");

        (await _publisher.PostAsync(stream, "{\"type\":\"T\"}\n{\"type\":\"WORKFLOW_COMPLETED\"}\n\n{\"type\":\"T\"}\n", Ndjson))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithNumber("line", 4).WithNumber("accepted", 2);
        (await _publisher.PostAsync(stream, "{\"type\":\"T\",\"id\":\"x\"}\n", Ndjson))
            .ShouldBe(HttpStatusCode.Conflict, "stream-ended").WithNumber("line", 1).WithNumber("accepted", 0);
    }

    [Fact]
    public async Task Post_line_above_the_limit_is_refused()
    {
        var stream = PublisherHost.NewStream("ndjson");
        string Line(int length) => $$"""{"type":"T","data":"{{new string('x', length)}}"}""";

        (await _publisher.PostAsync(stream, $"{Line(1)}\n{Line((1 << 20) - 300)}\n{Line(2 << 20)}\n{Line(1)}\n", Ndjson))
            .ShouldBe(HttpStatusCode.RequestEntityTooLarge, "too-large").WithNumber("line", 3).WithNumber("accepted", 2).WithNumber("limit", 1 << 20);
        (await _publisher.PostAsync(stream, new string(' ', 2 << 20), Ndjson))
            .ShouldBe(HttpStatusCode.RequestEntityTooLarge, "too-large").WithNumber("line", 1);
    }

    [Fact]
    public async Task Post_idempotency_key_demands_ids()
    {
        var stream = PublisherHost.NewStream("ndjson");
        ValueTuple<string, string> key = ("Idempotency-Key", "k");

        (await _publisher.PostAsync(stream, "{\"type\":\"T\",\"id\":\"1\"}\n{\"type\":\"T\"}\n", Ndjson, headers: key))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("id").WithNumber("line", 2).WithNumber("accepted", 1);
    }

    [Fact]
    public async Task Post_lines_are_in_the_log_while_the_upload_pauses()
    {
        var stream = PublisherHost.NewStream("ndjson");
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var content = new GeneratedContent(async body =>
        {
            await body.WriteAsync("{\"type\":\"A\"}\n{\"type\":\"B\"}\n{\"ty"u8.ToArray());
            await body.FlushAsync();
            await go.Task;
            await body.WriteAsync("pe\":\"C\"}"u8.ToArray());
        });

        var post = _publisher.PostAsync(stream, content);
        await Eventually.TrueAsync(
            async () => (await _publisher.ReadAsync(stream)).Length == 2, TimeSpan.FromSeconds(10), "two events are in the log", TestContext.Current.CancellationToken);
        Assert.False(post.IsCompleted);
        go.SetResult();

        (await post).ShouldBeOk(3);
        Assert.Equal(["A", "B", "C"], (await _publisher.ReadAsync(stream)).Select(TypeOf));
    }

    [Fact]
    public async Task Post_silent_upload_is_ended()
    {
        await using var publisher = await PublisherHost.StartAsync(
            servers.Redis, servers.Archive, "--Publisher:UploadIdleTimeout=00:00:01");
        using var upload = await OpenUpload.StartAsync(publisher, PublisherHost.NewStream("ndjson"), "{\"type\":\"A\"}\n");

        (await upload.ReadAnswerAsync()).ShouldBe(HttpStatusCode.RequestTimeout, "idle-timeout").WithNumber("line", 2).WithNumber("accepted", 1);
    }

    [Fact]
    public async Task Stop_ends_an_upload_and_says_where_to_go_on()
    {
        await using var publisher = await PublisherHost.StartAsync(servers.Redis, servers.Archive);
        var stream = PublisherHost.NewStream("ndjson");
        using var upload = await OpenUpload.StartAsync(publisher, stream, "{\"type\":\"A\"}\n{\"ty");
        await Eventually.TrueAsync(
            async () => (await _publisher.ReadAsync(stream)).Length == 1, TimeSpan.FromSeconds(10), "the event is in the log", TestContext.Current.CancellationToken);

        var stop = publisher.StopAsync();

        var answer = (await upload.ReadAnswerAsync()).ShouldBe(HttpStatusCode.ServiceUnavailable, "draining").WithNumber("line", 2).WithNumber("accepted", 1);
        Assert.Equal(TimeSpan.FromSeconds(1), answer.RetryAfter);
        upload.Dispose();
        await stop;
    }

    private static string TypeOf(string json) => JsonDocument.Parse(json).RootElement.GetProperty("type").GetString()!;
}

[CollectionDefinition(nameof(AloneDefinition), DisableParallelization = true)]
public sealed class AloneDefinition;

[Collection(nameof(AloneDefinition))]
public sealed class NdjsonMemoryTests(Servers servers, ITestOutputHelper output)
{
    [Fact]
    public async Task Post_long_upload_holds_little_memory()
    {
        const int Lines = 10_000;

        // What is kept until it is archived has a bound of its own, and nobody archives here.
        await using var publisher = await PublisherHost.StartAsync(servers.Redis, servers.Archive, "--Publisher:Healing:MaxRetainedBytes=1048576");
        var line = Encoding.UTF8.GetBytes($$"""{"type":"T","data":"{{new string('x', 3_000)}}"}""" + "\n");
        long early = 0, late = 0;
        var content = new GeneratedContent(async body =>
        {
            for (var index = 0; index < Lines; index++)
            {
                await body.WriteAsync(line);
                if (index == 1_000)
                {
                    early = GC.GetTotalMemory(forceFullCollection: true);
                }
                else if (index == Lines - 1_000)
                {
                    late = GC.GetTotalMemory(forceFullCollection: true);
                }
            }
        });

        (await publisher.PostAsync(PublisherHost.NewStream("ndjson"), content)).ShouldBeOk(Lines);

        output.WriteLine($"{early >> 10} KiB after 3 MB, {late >> 10} KiB after 27 MB");

        // Batches on their way, and the buffers they are sent from, are there at one moment and not at the other: half of what came meanwhile.
        Assert.True(late - early < 12 << 20, $"{early} then {late}");
    }
}
