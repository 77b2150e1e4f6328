using System.Net;
using System.Text.Json;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class PublishTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    [Fact]
    public async Task Post_single_event_is_answered_exactly()
    {
        var stream = PublisherHost.NewStream();

        var answer = (await _publisher.PostAsync(stream, """{"type":"T","id":"1","data":{"a": 1.0e5}}""")).ShouldBeOk(1);

        Assert.Equal("application/json", answer.ContentType);
        Assert.Equal($$"""{"stream":"{{stream}}","first":"{{answer.First}}","last":"{{answer.First}}","accepted":1,"duplicates":0,"durability":"log"}""", answer.Body);
        Assert.Equal(1, answer.First.Sequence);
        Assert.EndsWith(""","data":{"a":1.0e5}}""", Assert.Single(await _publisher.ReadAsync(stream)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("APPLICATION/JSON; charset=\"UTF-8\"")]
    [InlineData("application/cloudevents+json")]
    [InlineData("application/cloudevents+json; charset=UTF-8")]
    public async Task Post_event_is_taken_as(string contentType)
    {
        var answer = await _publisher.PostAsync(
            PublisherHost.NewStream(), """{"specversion":"1.0","id":"1","source":"/s","type":"T"}""", contentType);

        answer.ShouldBeOk(1);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/cloudevents-batch+json")]
    public async Task Post_batch_is_appended_in_order(string contentType)
    {
        var stream = PublisherHost.NewStream();

        var answer = (await _publisher.PostAsync(stream, """[{"type":"A"},{"type":"B"},{"type":"C"}]""", contentType)).ShouldBeOk(3);

        Assert.Equal((1, 3), (answer.First.Sequence, answer.Last.Sequence));
        Assert.Equal(["A", "B", "C"], (await _publisher.ReadAsync(stream)).Select(
            json => JsonDocument.Parse(json).RootElement.GetProperty("type").GetString()!));
    }

    [Fact]
    public async Task Post_batch_of_1000_is_accepted_and_1001_refused()
    {
        static string Batch(int count) => "[" + string.Join(',', Enumerable.Repeat("""{"type":"T"}""", count)) + "]";
        var stream = PublisherHost.NewStream();

        (await _publisher.PostAsync(stream, Batch(1000))).ShouldBeOk(1000);
        (await _publisher.PostAsync(stream, Batch(1001))).ShouldBe(HttpStatusCode.RequestEntityTooLarge, "too-large").WithNumber("limit", 1000).WithNumber("index", 1000);
        Assert.Equal(1000, (await _publisher.ReadAsync(stream)).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Post_body_above_4_MiB_is_refused(bool lengthKnown)
    {
        const int Limit = 4 << 20;
        var stream = PublisherHost.NewStream();
        static byte[] Body(int length)
        {
            var body = new byte[length];
            body.AsSpan().Fill((byte)' ');
            "{\"type\":\"T\"}"u8.CopyTo(body);
            return body;
        }

        HttpContent Content(int length)
        {
            HttpContent content = lengthKnown ? new ByteArrayContent(Body(length)) : new StreamContent(new UnseekableStream(Body(length)));
            content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            return content;
        }

        (await _publisher.PostAsync(stream, Content(Limit))).ShouldBeOk(1);
        (await _publisher.PostAsync(stream, Content(Limit + 1))).ShouldBe(HttpStatusCode.RequestEntityTooLarge, "too-large").WithNumber("limit", Limit);
    }

    [Fact]
    public async Task Post_event_above_1_MiB_is_refused_and_nothing_of_its_batch_kept()
    {
        var stream = PublisherHost.NewStream();

        (await _publisher.PostAsync(stream, $$"""[{"type":"T"},{"type":"T","data":"{{new string('x', 1 << 20)}}"}]"""))
            .ShouldBe(HttpStatusCode.RequestEntityTooLarge, "too-large").WithNumber("limit", 1 << 20).WithNumber("index", 1);
        Assert.Empty(await _publisher.ReadAsync(stream));
        (await _publisher.PostAsync(stream, $$"""[{"type":"T"},{"type":"T","data":"{{new string('x', (1 << 20) - 300)}}"}]""")).ShouldBeOk(2);
    }

    [Fact]
    public async Task Post_refusals_name_what_is_wrong()
    {
        var stream = PublisherHost.NewStream();

        (await _publisher.PostAsync(stream, "{")).ShouldBe(HttpStatusCode.BadRequest, "invalid-json");
        (await _publisher.PostAsync(stream, "")).ShouldBe(HttpStatusCode.BadRequest, "invalid-json");
        (await _publisher.PostAsync(stream, [0xff])).ShouldBe(HttpStatusCode.BadRequest, "invalid-json");
        (await _publisher.PostAsync(stream, "[]")).ShouldBe(HttpStatusCode.BadRequest, "invalid-event");
        (await _publisher.PostAsync(stream, """{"id":"1"}""")).ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("type");
        (await _publisher.PostAsync(stream, """[{"type":"T"},{"type":"T","position":"1-1"}]"""))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("position").WithNumber("index", 1);
        (await _publisher.PostAsync(stream, """[{"type":"STREAM_END"},{"type":"T"}]"""))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithNumber("index", 0);
        (await _publisher.PostAsync(stream, """{"type":"T","data":"""
            + new string('[', 65) + new string(']', 65) + "}")).ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("data");
        Assert.Empty(await _publisher.ReadAsync(stream));
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("é")]
    [InlineData("a%2Fb")]
    [InlineData("a*")]
    public async Task Post_to_a_bad_name_is_refused(string name) =>
        (await _publisher.PostAsync(Uri.EscapeDataString(name), """{"type":"T"}""")).ShouldBe(HttpStatusCode.BadRequest, "invalid-stream").WithField("stream");

    [Fact]
    public async Task Post_name_length_is_limited()
    {
        var name = PublisherHost.NewStream() + new string('.', 200);

        (await _publisher.PostAsync(name[..200], """{"type":"T"}""")).ShouldBeOk(1);
        (await _publisher.PostAsync(name[..201], """{"type":"T"}""")).ShouldBe(HttpStatusCode.BadRequest, "invalid-stream");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("nonsense")]
    [InlineData(null)]
    public async Task Post_unknown_content_type_is_refused(string? contentType) =>
        (await _publisher.PostAsync(PublisherHost.NewStream(), """{"type":"T"}""", contentType))
            .ShouldBe(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

    [Fact]
    public async Task Post_compressed_body_is_refused() =>
        (await _publisher.PostAsync(PublisherHost.NewStream(), """{"type":"T"}""", headers: ("Content-Encoding", "gzip")))
            .ShouldBe(HttpStatusCode.UnsupportedMediaType, "unsupported-media-type");

    [Theory]
    [InlineData("?expected=x", "expected")]
    [InlineData("?expected=1", "expected")]
    [InlineData("?expected=", "expected")]
    [InlineData("?expected=-1-1", "expected")]
    [InlineData("?expected=0-0&expected=0-0", "expected")]
    [InlineData("?durability=forever", "durability")]
    [InlineData("?durability=archived&timeout=0", "timeout")]
    [InlineData("?durability=archived&timeout=61", "timeout")]
    [InlineData("?durability=archived&timeout=NaN", "timeout")]
    public async Task Post_bad_parameter_is_refused(string query, string field) =>
        (await _publisher.PostAsync(PublisherHost.NewStream(), """{"type":"T"}""", query: query))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-parameter").WithField(field);

    [Fact]
    public async Task Get_is_not_allowed()
    {
        using var response = await _publisher.Http.GetAsync(
            new Uri("/streams/x/events", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Post_known_id_is_a_duplicate_at_its_position()
    {
        var stream = PublisherHost.NewStream();
        var first = (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""")).ShouldBeOk(1);
        (await _publisher.PostAsync(stream, """{"type":"T","id":"2"}""")).ShouldBeOk(1);

        var again = (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""")).ShouldBeOk(0, 1);
        var otherSource = (await _publisher.PostAsync(stream, """{"type":"T","id":"1","source":"/other"}""")).ShouldBeOk(1);

        Assert.Equal((first.First, first.First), (again.First, again.Last));
        Assert.Equal(3, otherSource.First.Sequence);
    }

    [Fact]
    public async Task Post_batch_with_known_events_and_twins_appends_the_rest()
    {
        var stream = PublisherHost.NewStream();
        var first = (await _publisher.PostAsync(stream, """[{"type":"T","id":"1"},{"type":"T","id":"2"}]""")).ShouldBeOk(2);

        var mixed = (await _publisher.PostAsync(
            stream, """[{"type":"T","id":"2"},{"type":"T","id":"3"},{"type":"T","id":"3"},{"type":"T"},{"type":"T","id":"1"}]""")).ShouldBeOk(2, 3);

        Assert.Equal((first.Last, first.First), (mixed.First, mixed.Last));
        Assert.Equal(4, (await _publisher.ReadAsync(stream)).Length);
    }

    [Fact]
    public async Task Post_idempotency_key_stands_for_the_id()
    {
        var stream = PublisherHost.NewStream();
        ValueTuple<string, string> Key(string value) => ("Idempotency-Key", value);

        var first = (await _publisher.PostAsync(stream, """{"type":"T"}""", headers: Key("k-1"))).ShouldBeOk(1);
        var again = (await _publisher.PostAsync(stream, """{"type":"T"}""", headers: Key("\"k-1\""))).ShouldBeOk(0, 1);
        (await _publisher.PostAsync(stream, """[{"type":"T"}]""", headers: Key("k-1"))).ShouldBeOk(0, 1);
        (await _publisher.PostAsync(stream, """{"type":"T","id":"own"}""", headers: Key("k-1"))).ShouldBeOk(1);
        (await _publisher.PostAsync(stream, """{"type":"T"}""", headers: Key("k-2"))).ShouldBeOk(1);

        Assert.Equal(first.First, again.First);
        Assert.Contains("\"id\":\"k-1\"", (await _publisher.ReadAsync(stream))[0], StringComparison.Ordinal);
        (await _publisher.PostAsync(stream, """[{"type":"T"},{"type":"T"}]""", headers: Key("k-3"))).ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("id");
        (await _publisher.PostAsync(stream, """{"type":"T"}""", headers: Key(new string('k', 257))))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-parameter").WithField("Idempotency-Key");
    }

    [Fact]
    public async Task Post_expected_position_is_checked()
    {
        var stream = PublisherHost.NewStream();

        var first = (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""", query: "?expected=0-0")).ShouldBeOk(1);
        (await _publisher.PostAsync(stream, """{"type":"T","id":"2"}""", query: $"?expected={first.Last}")).ShouldBeOk(1);
        var conflict = (await _publisher.PostAsync(stream, """{"type":"T","id":"3"}""", query: $"?expected={first.Last}"))
            .ShouldBe(HttpStatusCode.Conflict, "position-mismatch");

        Assert.Equal(first.Last.Next.ToString(), conflict.Json.GetProperty("current").GetString());
        (await _publisher.PostAsync(stream, """{"type":"T","id":"4"}""", query: "?expected=0-0")).ShouldBe(
            HttpStatusCode.Conflict, "position-mismatch");

        // What is known already passes, whatever is expected.
        (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""", query: "?expected=0-0")).ShouldBeOk(0, 1);
    }

    [Theory]
    [InlineData("WORKFLOW_COMPLETED", "completed")]
    [InlineData("WORKFLOW_FAILED", "failed")]
    [InlineData("WORKFLOW_CANCELLED", "cancelled")]
    [InlineData("STREAM_END", "ended")]
    public async Task Post_after_the_end_is_refused(string type, string state)
    {
        var stream = PublisherHost.NewStream();
        var end = (await _publisher.PostAsync(stream, $$"""[{"type":"T"},{"type":"{{type}}","id":"end"}]""")).ShouldBeOk(2);

        var refused = (await _publisher.PostAsync(stream, """{"type":"T","id":"late"}""")).ShouldBe(
            HttpStatusCode.Conflict, "stream-ended");
        Assert.Equal(
            (state, end.Last.ToString()), (refused.Json.GetProperty("state").GetString(), refused.Json.GetProperty("current").GetString()));
        (await _publisher.PostAsync(stream, $$"""{"type":"{{type}}","id":"end"}""")).ShouldBeOk(0, 1);

        // The end comes before the expected position.
        (await _publisher.PostAsync(stream, """{"type":"T","id":"late"}""", query: "?expected=0-0")).ShouldBe(
            HttpStatusCode.Conflict, "stream-ended");
    }

    [Fact]
    public async Task Post_critical_event_after_the_end_is_logged_as_dropped()
    {
        var stream = PublisherHost.NewStream();
        (await _publisher.PostAsync(stream, """{"type":"STREAM_END"}""")).ShouldBeOk(1);

        (await _publisher.PostAsync(stream, """{"type":"ERROR_OCCURRED"}""")).ShouldBe(HttpStatusCode.Conflict);

        Assert.Contains("CriticalEventDropped", _publisher.LoggedEvents);
    }

    [Fact]
    public async Task Post_many_at_a_time_keeps_every_event_once()
    {
        var stream = PublisherHost.NewStream();

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 200).Select(index => _publisher.PostAsync(stream, $$"""{"type":"T","id":"{{index % 100}}"}""")));

        Assert.Equal((100, 100), (answers.Sum(answer => answer.Accepted), answers.Sum(answer => answer.Duplicates)));
        Assert.Equal(100, answers.Select(answer => answer.First).Distinct().Count());
        Assert.Equal(100, (await _publisher.ReadAsync(stream)).Length);
    }

    [Fact]
    public async Task Cors_allows_the_stream_api_in_development()
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/streams/x/events");
        request.Headers.Add("Origin", "http://localhost:5102");
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "content-type");
        using var response = await _publisher.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(["http://localhost:5102"], response.Headers.GetValues("Access-Control-Allow-Origin"));
        Assert.Equal(["content-type"], response.Headers.GetValues("Access-Control-Allow-Headers"));
    }

    [Fact]
    public async Task OpenApi_describes_the_routes()
    {
        var paths = (await _publisher.GetJsonAsync("/openapi/v1.json")).GetProperty("paths");

        Assert.True(paths.GetProperty("/streams/{stream}/events").TryGetProperty("post", out _));
        Assert.True(paths.GetProperty("/streams/{stream}").TryGetProperty("delete", out _));
    }

    [Fact]
    public async Task Health_and_metrics_count_what_was_published()
    {
        var stream = PublisherHost.NewStream();
        (await _publisher.PostAsync(stream, """[{"type":"T"},{"type":"WORKFLOW_COMPLETED"}]""")).ShouldBeOk(2);
        (await _publisher.PostAsync(PublisherHost.NewStream(), """{"type":"T"}""")).ShouldBeOk(1);

        var health = await _publisher.GetJsonAsync("/health");
        Assert.True(health.GetProperty("stream").GetProperty("totalMessages").GetInt64() >= 3);
        Assert.True(health.GetProperty("stream").GetProperty("totalStreams").GetInt64() >= 1);
        Assert.True(health.GetProperty("workflows").GetProperty("completed").GetInt64() >= 1);
        Assert.True(health.GetProperty("workflows").GetProperty("running").GetInt64() >= 1);
        Assert.Equal("healthy", health.GetProperty("dependencies").GetProperty("redis-circuit").GetProperty("status").GetString());

        var metrics = await _publisher.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Contains("publisher_events_appended", metrics, StringComparison.Ordinal);
        Assert.Contains("publisher_redis_circuit", metrics, StringComparison.Ordinal);
        Assert.Contains("publisher_archive_backlog_limit", metrics, StringComparison.Ordinal);
    }

    private sealed class UnseekableStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
