using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.PublisherApi.Tests.Http;

/// <summary>
/// The rows and sentences of the Publisher API's contract, as a program sees them that knows nothing else. What one row needs in depth
/// stands in the tests beside this class; here each has its name.
/// </summary>
public sealed class Section3ContractTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;
    private readonly string _stream = PublisherHost.NewStream("contract");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Defaults_are_those_of_the_contract()
    {
        var publisher = new PublisherOptions();
        var resilience = new RedisResilienceOptions();

        Assert.Equal((1_000, 4 << 20, 1 << 20, 64), (publisher.MaxBatchEvents, publisher.MaxBatchBytes, publisher.MaxEventBytes, publisher.MaxNestingDepth));
        Assert.Equal((200, 256, 32, 1_024), (publisher.MaxTypeLength, publisher.MaxAttributeLength, publisher.MaxExtensions, publisher.MaxExtensionValueBytes));
        Assert.Equal(TimeSpan.FromHours(24), new HotLogOptions().IdempotencyWindow);
        Assert.Equal((3, 5, TimeSpan.FromSeconds(5)), (resilience.Tries, resilience.BreakAfterFailures, resilience.BreakDuration));
    }

    [Theory]
    [InlineData("application/json", """{"type":"T"}""", 1)]
    [InlineData("application/json", """[{"type":"T"},{"type":"T"}]""", 2)]
    [InlineData("application/cloudevents+json", """{"specversion":"1.0","id":"1","source":"/s","type":"T"}""", 1)]
    [InlineData("application/cloudevents-batch+json", """[{"specversion":"1.0","id":"1","source":"/s","type":"T"}]""", 1)]
    [InlineData("application/x-ndjson", "{\"type\":\"T\"}\r\n\r\n\n{\"type\":\"T\"}", 2)]
    public async Task Row_content_type_and_body(string contentType, string body, int events)
    {
        var answer = (await _publisher.PostAsync(_stream, body, contentType)).ShouldBeOk(events);

        Assert.Equal((1, events), (answer.First.Sequence, answer.Last.Sequence));
        Assert.Equal(["stream", "first", "last", "accepted", "duplicates", "durability"], answer.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal(events, (await _publisher.ReadAsync(_stream)).Length);
    }

    [Theory]
    [InlineData("application/vnd.acme+json", """{"a":1}""", "data", """{"a":1}""")]
    [InlineData("text/csv; charset=utf-8", "a,b", "data", "\"a,b\"")]
    [InlineData("image/png", "\u0001\u0002", "data_base64", "\"AQI=\"")]
    public async Task Row_anything_else_with_ce_headers_is_binary_mode(string contentType, string body, string member, string expected)
    {
        (await _publisher.PostAsync(
            _stream, body, contentType, "", ("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "T"), ("ce-acme", "x"))).ShouldBeOk(1);

        var stored = JsonDocument.Parse(Assert.Single(await _publisher.ReadAsync(_stream))).RootElement;
        Assert.Equal(expected, stored.GetProperty(member).GetRawText());
        Assert.Equal(("T", "1", "/s", "x"), (Text(stored, "type"), Text(stored, "id"), Text(stored, "source"), Text(stored, "acme")));
        Assert.Equal(contentType.Split(';')[0], Text(stored, "datacontenttype").Split(';')[0]);
    }

    [Fact]
    public async Task Event_gets_the_defaults_and_data_keeps_every_token()
    {
        var body = """{ "type" : "T" , "data" : { "b" : 9007199254740993 , "a" : "\u00e9\/" , "n" : [ 1.0e5 , -0.0 ] } }""";

        (await _publisher.PostAsync(_stream, body)).ShouldBeOk(1);

        var text = Assert.Single(await _publisher.ReadAsync(_stream));
        var stored = JsonDocument.Parse(text).RootElement;
        Assert.EndsWith("""
            "data":{"b":9007199254740993,"a":"\u00e9\/","n":[1.0e5,-0.0]}}
            """, text, StringComparison.Ordinal);
        Assert.Equal(("1.0", "/publisher", "application/json"), (Text(stored, "specversion"), Text(stored, "source"), Text(stored, "datacontenttype")));
        Assert.NotEmpty(Text(stored, "id"));
        Assert.True(DateTimeOffset.TryParse(Text(stored, "time"), CultureInfo.InvariantCulture, out _));
    }

    [Theory]
    [InlineData("stream")]
    [InlineData("position")]
    [InlineData("sequence")]
    [InlineData("recordedtime")]
    [InlineData("firstposition")]
    public async Task Publisher_that_sends_what_the_log_gives_gets_400(string attribute)
    {
        (await _publisher.PostAsync(_stream, $$"""{"type":"T","{{attribute}}":"1-1"}""")).ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField(attribute);
        (await _publisher.PostAsync(
            _stream, "x", "text/plain", "", ("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "T"), ("ce-" + attribute, "1-1")))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event");
        Assert.Empty(await _publisher.ReadAsync(_stream));
    }

    [Theory]
    [InlineData("""{"type":"stream.gap"}""", "type")]
    [InlineData("""{"type":"a\u0007b"}""", "type")]
    [InlineData("""{"type":"T","Upper":"x"}""", "Upper")]
    [InlineData("""{"type":"T","extensionwithalonglongname":"x"}""", "extensionwithalonglongname")]
    public async Task Attribute_that_breaks_a_rule_is_400_and_named(string body, string field) =>
        (await _publisher.PostAsync(_stream, body)).ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField(field);

    [Fact]
    public async Task Invalid_utf8_is_400() =>
        (await _publisher.PostAsync(_stream, [.. "{\"type\":\"T\",\"data\":\""u8, 0xC3, 0x28, .. "\"}"u8])).ShouldBe(HttpStatusCode.BadRequest, "invalid-json");

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    public async Task Name_that_is_a_path_segment_is_no_stream(string name)
    {
        // Clients normalise these away, so the request is written by hand.
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(_publisher.Http.BaseAddress!.Host, _publisher.Http.BaseAddress.Port, Cancel);
        var request = $"POST /streams/{name}/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{{\"type\":\"T\"}}";
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
        using var reader = new StreamReader(socket.GetStream());

        Assert.Matches("^HTTP/1.1 40[04] ", await reader.ReadToEndAsync(Cancel));
    }

    [Fact]
    public async Task First_and_last_are_those_of_the_events_as_given()
    {
        var known = (await _publisher.PostAsync(_stream, """[{"type":"T","id":"1"},{"type":"T","id":"2"}]""")).ShouldBeOk(2);

        var answer = (await _publisher.PostAsync(_stream, """[{"type":"T","id":"2"},{"type":"T","id":"3"},{"type":"T","id":"1"}]""")).ShouldBeOk(1, 2);

        Assert.Equal((known.Last, known.First), (answer.First, answer.Last));
    }

    [Theory]
    [InlineData("""[{"type":"T","id":"new"},{"type":"T","data":1,"data":2}]""", HttpStatusCode.BadRequest)]
    [InlineData("""[{"type":"WORKFLOW_COMPLETED","id":"new"},{"type":"T"}]""", HttpStatusCode.BadRequest)]
    [InlineData("[]", HttpStatusCode.BadRequest)]
    public async Task Batch_is_appended_whole_or_not_at_all(string body, HttpStatusCode status)
    {
        (await _publisher.PostAsync(_stream, """{"type":"T","id":"first"}""")).ShouldBeOk(1);

        (await _publisher.PostAsync(_stream, body)).ShouldBe(status, "invalid-event");

        Assert.Single(await _publisher.ReadAsync(_stream));
    }

    [Fact]
    public async Task Order_of_checks_is_idempotency_then_end_then_expected()
    {
        (await _publisher.PostAsync(_stream, """[{"type":"T","id":"1"},{"type":"STREAM_END","id":"end"}]""")).ShouldBeOk(2);

        // All known: 200 whatever the other checks say. One new: the end speaks before the expected position, and nothing is kept.
        (await _publisher.PostAsync(_stream, """[{"type":"T","id":"1"}]""", query: "?expected=0-0")).ShouldBeOk(0, 1);
        (await _publisher.PostAsync(_stream, """[{"type":"T","id":"1"},{"type":"T","id":"2"}]""", query: "?expected=0-0"))
            .ShouldBe(HttpStatusCode.Conflict, "stream-ended");
        Assert.Equal(2, (await _publisher.ReadAsync(_stream)).Length);
    }

    [Fact]
    public async Task Terminal_event_before_the_last_of_its_batch_is_400_and_names_the_index() =>
        (await _publisher.PostAsync(_stream, """[{"type":"T"},{"type":"WORKFLOW_FAILED"},{"type":"T"}]"""))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithNumber("index", 1);

    [Theory]
    [InlineData("0-0", HttpStatusCode.Conflict, "position-mismatch")]
    [InlineData("9-9", HttpStatusCode.Conflict, "position-mismatch")]
    [InlineData("1", HttpStatusCode.BadRequest, "invalid-parameter")]
    [InlineData("1-1-1", HttpStatusCode.BadRequest, "invalid-parameter")]
    public async Task Expected_position_that_is_not_the_last_is_409_with_current_and_malformed_400(string expected, HttpStatusCode status, string problem)
    {
        var last = (await _publisher.PostAsync(_stream, """{"type":"T"}""", query: "?expected=0-0")).ShouldBeOk(1).Last;

        var refused = (await _publisher.PostAsync(_stream, """{"type":"T"}""", query: $"?expected={expected}")).ShouldBe(status, problem);

        if (status == HttpStatusCode.Conflict)
        {
            Assert.Equal(last.ToString(), Text(refused.Json, "current"));
        }

        (await _publisher.PostAsync(_stream, """{"type":"T"}""", query: $"?expected={last}")).ShouldBeOk(1);
    }

    [Fact]
    public async Task Refused_for_the_moment_carries_the_ids_and_a_time_to_come_back()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancel);
        await using var publisher = await PublisherHost.StartAsync(
            redis.ConnectionString, servers.Archive, "--HotLog:CommandTimeout=00:00:00.250", "--Publisher:Redis:RetryDelay=00:00:00.020");
        redis.Kill();

        var refused = (await publisher.PostAsync(_stream, """[{"type":"T","id":"own"},{"type":"T"}]""")).ShouldBe(HttpStatusCode.ServiceUnavailable);

        Assert.True(refused.RetryAfter >= TimeSpan.FromSeconds(1));
        var ids = refused.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetString()!).ToArray();
        Assert.Equal(2, ids.Length);
        Assert.Equal("own", ids[0]);
        Assert.NotEmpty(ids[1]);
    }

    [Fact]
    public async Task Delete_travels_like_an_event_and_nothing_is_resurrected()
    {
        var before = (await _publisher.PostAsync(_stream, """[{"type":"T","id":"1"},{"type":"T","id":"2"}]""")).ShouldBeOk(2);
        var partition = StreamName.PartitionOf(_stream);
        var logged = await _publisher.Log.CountArchiveLogAsync(partition, Cancel);

        (await _publisher.DeleteAsync($"/streams/{_stream}")).ShouldBe(HttpStatusCode.NoContent);

        Assert.Equal(logged + 1, await _publisher.Log.CountArchiveLogAsync(partition, Cancel));
        (await _publisher.DeleteAsync($"/streams/{_stream}")).ShouldBe(HttpStatusCode.NotFound);
        var after = (await _publisher.PostAsync(_stream, """{"type":"T","id":"1"}""")).ShouldBeOk(1);
        Assert.True(after.First.Epoch > before.Last.Epoch);
    }

    [Fact]
    public async Task Grpc_publish_answers_as_http_does_and_publish_stream_in_order()
    {
        var client = new Publisher.PublisherClient(_publisher.Grpc);
        PublishRequest Request(string id) => new()
        {
            Stream = _stream,
            Events = { new Event { Id = id, Source = "/s", Type = "T", Data = ByteString.CopyFromUtf8("1") } },
        };

        var unary = await client.PublishAsync(Request("0"), cancellationToken: Cancel);
        using var call = client.PublishStream(cancellationToken: Cancel);
        for (var number = 0; number < 50; number++)
        {
            await call.RequestStream.WriteAsync(Request($"{number}"), Cancel);
        }

        await call.RequestStream.CompleteAsync();
        var sequences = new List<int>();
        var duplicates = 0;
        await foreach (var answer in call.ResponseStream.ReadAllAsync(Cancel))
        {
            sequences.Add(int.Parse(answer.Last.Split('-')[1], CultureInfo.InvariantCulture));
            duplicates += answer.Duplicates;
        }

        Assert.Equal((1, 0), (unary.Accepted, unary.Duplicates));
        Assert.Equal(Enumerable.Range(1, 50), sequences);
        Assert.Equal(1, duplicates);
    }

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;
}
