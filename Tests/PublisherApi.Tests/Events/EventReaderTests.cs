using System.Globalization;
using System.Text;
using System.Text.Json;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Tests.Events;

public sealed class EventReaderTests(ITestOutputHelper output)
{
    private const int Seed = 20261120;

    [Fact]
    public void Read_smallest_event_gets_every_default()
    {
        var item = EventReading.ReadOne("""{"type":"T"}""");

        Assert.True(item.IdGenerated);
        Assert.True(GeneratedId.TryGetAttempt(item.Id, out _));
        Assert.Equal("/publisher", item.Source);
        Assert.Equal(
            $$"""{"specversion":"1.0","id":"{{item.Id}}","source":"/publisher","type":"T","time":"{{EventReading.Now}}","datacontenttype":"application/json"}""",
            EventReading.JsonOf(item));
    }

    [Fact]
    public void Read_full_event_keeps_order_and_tokens()
    {
        var item = EventReading.ReadOne(
            """
            { "data" : { "b" : 1.0e5, "a" : [ ] }, "zeta": 1.50, "alpha" : "\u00e9" , "flag":true,
              "datacontenttype":"application\/json", "time":"2026-01-01T00:00:00.123456+01:00", "subject":"a\/b",
              "type":"T", "source":"\u002fs", "id":"i d\"é", "specversion":"1.0" }
            """);

        Assert.False(item.IdGenerated);
        Assert.Equal("i d\"é", item.Id);
        Assert.Equal("/s", item.Source);
        Assert.Equal(
            """{"specversion":"1.0","id":"i d\"é","source":"/s","type":"T","subject":"a\/b","time":"2026-01-01T00:00:00.123456+01:00","datacontenttype":"application\/json","zeta":1.50,"alpha":"\u00e9","flag":true,"data":{"b":1.0e5,"a":[]}}""",
            EventReading.JsonOf(item));
    }

    [Fact]
    public void Read_random_data_keeps_every_token()
    {
        output.WriteLine($"Seed {Seed}");
        var json = new RandomJson(new Random(Seed));
        for (var round = 0; round < 3000; round++)
        {
            var (written, compact) = json.Next();
            var item = EventReading.ReadOne($$""" { "type" : "T" , "data" : {{written}} } """);
            Assert.Equal(compact, EventReading.DataOf(item));
        }
    }

    [Fact]
    public void Read_random_damage_never_breaks_the_frame()
    {
        output.WriteLine($"Seed {Seed}");
        var random = new Random(Seed);
        var json = new RandomJson(random);
        var (good, bad) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var body = Encoding.UTF8.GetBytes(
                $$"""[{"id":"x{{round}}","type":"T","ext":"v","data":{{json.Next().Written}}},{"type":"U","subject":"s"}]""");
            for (var hits = random.Next(1, 4); hits > 0; hits--)
            {
                body[random.Next(body.Length)] = (byte)(random.Next(3) == 0 ? random.Next(256) : "{}[]\",:\\ 0a"[random.Next(11)]);
            }

            var (fault, events) = EventReading.Read(body);
            if (fault is not null)
            {
                bad++;
                continue;
            }

            good++;
            foreach (var item in events)
            {
                using var kept = JsonDocument.Parse(EventReading.JsonOf(item), new JsonDocumentOptions { MaxDepth = 128 });
                Assert.Equal("1.0", kept.RootElement.GetProperty("specversion").GetString());
                Assert.Equal(item.Id, kept.RootElement.GetProperty("id").GetString());
                Assert.Equal(item.Type, kept.RootElement.GetProperty("type").GetString());
            }
        }

        Assert.True(good > 100 && bad > 100, $"{good} good, {bad} bad");
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("123456789012345678901")]
    [InlineData("1.0e5")]
    [InlineData("-0.0")]
    [InlineData("\"\\u00e9\\/\\ud800\"")]
    [InlineData("[[],{}]")]
    [InlineData("{\"a\":1,\"a\":2}")]
    public void Read_data_of_any_kind_is_kept_as_written(string data) =>
        Assert.Equal(data, EventReading.DataOf(EventReading.ReadOne($$"""{"data":{{data}},"type":"T"}""")));

    [Fact]
    public void Read_frame_begins_as_the_append_script_expects()
    {
        var item = EventReading.ReadOne("""{"type":"T","id":"abc"}""");

        Assert.StartsWith("\"specversion\":\"1.0\",\"id\":\"abc\"", Encoding.UTF8.GetString(EventFrame.Read(item.Frame).Json.Span), StringComparison.Ordinal);
        Assert.Equal(26, "\"specversion\":\"1.0\",\"id\":\"".Length);
    }

    [Theory]
    [InlineData("WORKFLOW_COMPLETED", EventFlags.Terminal | EventFlags.Critical)]
    [InlineData("WORKFLOW_FAILED", EventFlags.Terminal | EventFlags.Critical)]
    [InlineData("WORKFLOW_CANCELLED", EventFlags.Terminal)]
    [InlineData("STREAM_END", EventFlags.Terminal)]
    [InlineData("AGENT_FAILED", EventFlags.Critical)]
    [InlineData("ERROR_OCCURRED", EventFlags.Critical)]
    [InlineData("TOOL_ERROR", EventFlags.Critical)]
    [InlineData("TOKEN", EventFlags.None)]
    public void Read_type_sets_flags(string type, EventFlags flags)
    {
        var item = EventReading.ReadOne($$"""{"type":"{{type}}"}""");

        Assert.Equal(flags, item.Flags);
        Assert.Equal(flags, EventFrame.Read(item.Frame).Flags);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("\"true\"", true)]
    [InlineData("\"tr\\u0075e\"", true)]
    [InlineData("false", false)]
    [InlineData("\"false\"", false)]
    [InlineData("1", false)]
    public void Read_extension_critical_sets_the_flag(string value, bool critical) =>
        Assert.Equal(critical, EventReading.ReadOne($$"""{"type":"T","critical":{{value}}}""").Flags.HasFlag(EventFlags.Critical));

    [Fact]
    public void Read_configured_types_replace_the_defaults()
    {
        var options = new PublisherOptions { TerminalTypes = ["DONE"], CriticalTypes = [] };

        Assert.Equal(EventFlags.Terminal, EventReading.ReadOne("""{"type":"DONE"}""", options).Flags);
        Assert.Equal(EventFlags.None, EventReading.ReadOne("""{"type":"WORKFLOW_FAILED"}""", options).Flags);
    }

    [Fact]
    public void Read_null_attributes_are_absent()
    {
        var item = EventReading.ReadOne(
            """{"type":"T","id":null,"source":null,"subject":null,"time":null,"datacontenttype":null,"specversion":null,"ext":null,"data_base64":null}""");

        Assert.True(item.IdGenerated);
        Assert.DoesNotContain("null", EventReading.JsonOf(item), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_base64_is_kept()
    {
        var json = EventReading.JsonOf(EventReading.ReadOne("""{"type":"T","data_base64":"AAEC\/w==","datacontenttype":"image/png"}"""));

        Assert.EndsWith(""","datacontenttype":"image/png","data_base64":"AAEC\/w=="}""", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id":"1"}""", "type")]
    [InlineData("""{"type":""}""", "type")]
    [InlineData("""{"type":null}""", "type")]
    [InlineData("""{"type":1}""", "type")]
    [InlineData("""{"type":"a\nb"}""", "type")]
    [InlineData("""{"type":"a\u007f"}""", "type")]
    [InlineData("""{"type":"a\u0085"}""", "type")]
    [InlineData("""{"type":"stream.gap"}""", "type")]
    [InlineData("""{"type":"\ud800"}""", "type")]
    [InlineData("""{"type":"T","type":"T"}""", "type")]
    [InlineData("""{"type":"T","\u0074ype":"T"}""", "type")]
    [InlineData("""{"type":"T","id":""}""", "id")]
    [InlineData("""{"type":"T","id":7}""", "id")]
    [InlineData("""{"type":"T","id":"\ud83d"}""", "id")]
    [InlineData("""{"type":"T","source":""}""", "source")]
    [InlineData("""{"type":"T","source":[]}""", "source")]
    [InlineData("""{"type":"T","subject":""}""", "subject")]
    [InlineData("""{"type":"T","time":"yesterday"}""", "time")]
    [InlineData("""{"type":"T","time":"2026-01-01T00:00:00"}""", "time")]
    [InlineData("""{"type":"T","time":1}""", "time")]
    [InlineData("""{"type":"T","specversion":"0.3"}""", "specversion")]
    [InlineData("""{"type":"T","specversion":1.0}""", "specversion")]
    [InlineData("""{"type":"T","datacontenttype":""}""", "datacontenttype")]
    [InlineData("""{"type":"T","data":1,"data_base64":"AA=="}""", "data_base64")]
    [InlineData("""{"type":"T","data_base64":"AA==","data":1}""", "data_base64")]
    [InlineData("""{"type":"T","data_base64":"A"}""", "data_base64")]
    [InlineData("""{"type":"T","data_base64":"AA =="}""", "data_base64")]
    [InlineData("""{"type":"T","data_base64":"AA\n=="}""", "data_base64")]
    [InlineData("""{"type":"T","data_base64":1}""", "data_base64")]
    [InlineData("""{"type":"T","data":1,"data":1}""", "data")]
    [InlineData("""{"type":"T","stream":"s"}""", "stream")]
    [InlineData("""{"type":"T","position":"1-1"}""", "position")]
    [InlineData("""{"type":"T","sequence":1}""", "sequence")]
    [InlineData("""{"type":"T","recordedtime":null}""", "recordedtime")]
    [InlineData("""{"type":"T","firstposition":"1-1"}""", "firstposition")]
    [InlineData("""{"type":"T","s\u0074ream":"s"}""", "stream")]
    [InlineData("""{"type":"T","Ext":1}""", "Ext")]
    [InlineData("""{"type":"T","a_b":1}""", "a_b")]
    [InlineData("""{"type":"T","":1}""", "")]
    [InlineData("""{"type":"T","é":1}""", "é")]
    [InlineData("""{"type":"T","ext":{}}""", "ext")]
    [InlineData("""{"type":"T","ext":[1]}""", "ext")]
    [InlineData("""{"type":"T","ext":"\udc00"}""", "ext")]
    [InlineData("""{"type":"T","ext":1,"ext":1}""", "ext")]
    [InlineData("""{"type":"T","ext":null,"ext":1}""", "ext")]
    [InlineData("""{"type":"T","ext":1,"e\u0078t":1}""", "ext")]
    public void Read_bad_attribute_is_refused_by_name(string body, string field)
    {
        var fault = EventReading.ReadFault(body);

        Assert.Equal((ProblemKind.InvalidEvent, field), (fault.Kind, fault.Field));
        Assert.Null(fault.Index);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("{")]
    [InlineData("""{"type":"T"}x""")]
    [InlineData("""{"type":"T"}{"type":"T"}""")]
    [InlineData("""{"type":"T",}""")]
    [InlineData("""{"type":"T"/* no */}""")]
    [InlineData("""{"type":"T","data":[1,]}""")]
    [InlineData("""{"type":"T","data":{"a":01}}""")]
    [InlineData("""{"type":"T","data":"\x"}""")]
    [InlineData("""{'type':'T'}""")]
    [InlineData("""[{"type":"T"}""")]
    public void Read_broken_json_is_refused(string body) => Assert.Equal(ProblemKind.InvalidJson, EventReading.ReadFault(body).Kind);

    [Theory]
    [InlineData(new byte[] { 0xff })]
    [InlineData(new byte[] { 0xc0, 0x80 })]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80 })]
    public void Read_invalid_utf8_is_refused(byte[] text)
    {
        byte[] body = [.. "{\"type\":\"T\",\"data\":\""u8, .. text, .. "\"}"u8];

        Assert.Equal(ProblemKind.InvalidJson, EventReading.Read(body).Fault?.Kind);
    }

    [Theory]
    [InlineData("1", JsonShape.EventOrArray)]
    [InlineData("\"T\"", JsonShape.EventOrArray)]
    [InlineData("[]", JsonShape.EventOrArray)]
    [InlineData("[1]", JsonShape.EventOrArray)]
    [InlineData("""[{"type":"T"}]""", JsonShape.Event)]
    [InlineData("""{"type":"T"}""", JsonShape.Array)]
    public void Read_wrong_shape_is_refused(string body, object shape) =>
        Assert.Equal(ProblemKind.InvalidEvent, EventReading.ReadFault(body, shape: (JsonShape)shape).Kind);

    [Fact]
    public void Read_fault_in_a_batch_names_its_index()
    {
        Assert.Equal(2, EventReading.ReadFault("""[{"type":"T"},{"type":"T"},{"type":""}]""").Index);
        Assert.Equal(1, EventReading.ReadFault("""[{"type":"T"},{}]""").Index);
        Assert.Equal(1, EventReading.ReadFault("""[{"type":"T"},[]]""").Index);
    }

    [Fact]
    public void Read_terminal_event_before_the_end_is_refused_by_index()
    {
        var fault = EventReading.ReadFault("""[{"type":"T"},{"type":"STREAM_END"},{"type":"T"}]""");

        Assert.Equal((ProblemKind.InvalidEvent, 1), (fault.Kind, fault.Index));
        Assert.Equal(2, EventReading.Read("""[{"type":"T"},{"type":"STREAM_END"}]""").Events.Count);
    }

    [Fact]
    public void Read_generated_ids_number_the_batch()
    {
        var (fault, events) = EventReading.Read("""[{"type":"T"},{"type":"T","id":"own"},{"type":"T"}]""");

        Assert.Null(fault);
        Assert.True(GeneratedId.TryGetAttempt(events[0].Id, out var attempt));
        Assert.Equal([GeneratedId.For(attempt, 0), "own", GeneratedId.For(attempt, 2)], events.Select(item => item.Id));
    }

    [Fact]
    public void Read_idempotency_key_stands_for_the_id_of_a_single_event_only()
    {
        Assert.Equal("key", Assert.Single(EventReading.Read("""{"type":"T"}""", idempotencyKey: "key").Events).Id);
        Assert.Equal("key", Assert.Single(EventReading.Read("""[{"type":"T"}]""", idempotencyKey: "key").Events).Id);
        Assert.Equal("own", Assert.Single(EventReading.Read("""{"type":"T","id":"own"}""", idempotencyKey: "key").Events).Id);
        Assert.Equal(2, EventReading.Read("""[{"type":"T","id":"a"},{"type":"T","id":"b"}]""", idempotencyKey: "key").Events.Count);
        var fault = EventReading.Read("""[{"type":"T","id":"a"},{"type":"T"}]""", idempotencyKey: "key").Fault;
        Assert.Equal(("id", 1), (fault?.Field, fault?.Index));
    }

    [Theory]
    [InlineData("id", 256)]
    [InlineData("source", 256)]
    [InlineData("subject", 256)]
    [InlineData("datacontenttype", 256)]
    [InlineData("type", 200)]
    public void Read_attribute_length_is_limited(string name, int limit)
    {
        string Body(int length) => name == "type"
            ? $$"""{"type":"{{new string('é', length)}}"}"""
            : $$"""{"type":"T","{{name}}":"{{new string('é', length)}}"}""";

        EventReading.ReadOne(Body(limit));
        var fault = EventReading.ReadFault(Body(limit + 1));
        Assert.Equal((ProblemKind.InvalidEvent, name, (long)limit), (fault.Kind, fault.Field, fault.Limit!.Value));
    }

    [Fact]
    public void Read_extensions_are_limited_in_number()
    {
        static string Body(int count) =>
            $$"""{"type":"T",{{string.Join(',', Enumerable.Range(0, count).Select(index =>
                string.Create(CultureInfo.InvariantCulture, $"\"x{index}\":{index}")))}}}""";

        Assert.Contains(",\"x31\":31", EventReading.JsonOf(EventReading.ReadOne(Body(32))), StringComparison.Ordinal);
        Assert.Equal(("x32", 32L), (EventReading.ReadFault(Body(33)).Field, EventReading.ReadFault(Body(33)).Limit));
    }

    [Fact]
    public void Read_extension_names_and_values_are_limited_in_length()
    {
        EventReading.ReadOne($$"""{"type":"T","{{new string('a', 20)}}":1}""");
        Assert.Equal(new string('a', 21), EventReading.ReadFault($$"""{"type":"T","{{new string('a', 21)}}":1}""").Field);
        EventReading.ReadOne($$"""{"type":"T","ext":"{{new string('x', 1024)}}"}""");
        Assert.Equal(1024, EventReading.ReadFault($$"""{"type":"T","ext":"{{new string('x', 1025)}}"}""").Limit);
        EventReading.ReadOne($$"""{"type":"T","ext":1{{new string('0', 1023)}}}""");
        Assert.Equal(1024, EventReading.ReadFault($$"""{"type":"T","ext":1{{new string('0', 1024)}}}""").Limit);
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("""{"a":""", "}")]
    public void Read_data_nesting_is_limited(string open, string close)
    {
        string Body(int depth) =>
            $$"""[{"type":"T","data":{{string.Concat(Enumerable.Repeat(open, depth))}}1{{string.Concat(Enumerable.Repeat(close, depth))}}}]""";

        Assert.Null(EventReading.Read(Body(64)).Fault);
        var fault = EventReading.ReadFault(Body(65));
        Assert.Equal((ProblemKind.InvalidEvent, "data", 64L), (fault.Kind, fault.Field, fault.Limit!.Value));
        Assert.Equal("data", EventReading.ReadFault(Body(5000)).Field);
    }

    [Fact]
    public void Read_event_size_is_limited_as_kept()
    {
        var options = new PublisherOptions { MaxEventBytes = 1024 };
        string Body(int length) => $$"""{"type":"T","id":"1","time":"{{EventReading.Now}}",    "data":"{{new string('x', length)}}"}""";
        var overhead = EventReading.JsonOf(EventReading.ReadOne(Body(0))).Length;

        Assert.Equal(1024, EventReading.JsonOf(EventReading.ReadOne(Body(1024 - overhead), options)).Length);
        var fault = EventReading.ReadFault(Body(1025 - overhead), options);
        Assert.Equal((ProblemKind.TooLarge, 1024L), (fault.Kind, fault.Limit!.Value));
    }

    [Fact]
    public void Read_batch_size_is_limited()
    {
        static string Body(int count) => "[" + string.Join(',', Enumerable.Repeat("""{"type":"T"}""", count)) + "]";

        Assert.Equal(1000, EventReading.Read(Body(1000)).Events.Count);
        var fault = EventReading.ReadFault(Body(1001));
        Assert.Equal((ProblemKind.TooLarge, 1000L), (fault.Kind, fault.Limit!.Value));
    }

    [Fact]
    public void Read_one_event_allocates_little()
    {
        var body = Encoding.UTF8.GetBytes("""{"type":"TOKEN","source":"/agent","subject":"a","time":"2026-01-01T00:00:00Z","ext":1,"data":{"text":"hello world","n":[1, 2, 3]}}""");
        var rules = new AttributeRules(new PublisherOptions());
        var reader = new EventReader(rules, new EventComposer(rules.Options, TimeProvider.System));
        for (var round = 0; round < 100; round++)
        {
            reader.Read(body, JsonShape.EventOrArray, new EventBatch());
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 1000; round++)
        {
            reader.Read(body, JsonShape.EventOrArray, new EventBatch());
        }

        // The frame of 260 bytes, the generated id and its stem, the batch and its list.
        var perEvent = (GC.GetAllocatedBytesForCurrentThread() - before) / 1000;
        output.WriteLine($"{perEvent} bytes an event");
        Assert.InRange(perEvent, 1, 800);
    }
}
