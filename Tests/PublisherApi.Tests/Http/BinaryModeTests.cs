using System.Net;
using System.Text;
using System.Text.Json;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class BinaryModeTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    [Fact]
    public async Task Post_json_becomes_data_and_headers_attributes()
    {
        var json = await PublishAsync(
            "{ \"n\" : 1.0e5 }"u8.ToArray(),
            "application/json",
            ("ce-specversion", "1.0"), ("ce-id", "b-1"), ("ce-source", "/s"), ("ce-type", "T"), ("CE-Subject", "caf%C3%A9 %22x%22"), (
                "ce-time", "2026-01-01T00:00:00Z"),
            ("ce-critical", "true"), ("ce-ext", "1"));

        Assert.StartsWith(
            """{"specversion":"1.0","id":"b-1","source":"/s","type":"T","subject":"café \"x\"","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json",""",
            json,
            StringComparison.Ordinal);
        Assert.EndsWith(""","data":{"n":1.0e5}}""", json, StringComparison.Ordinal);
        Assert.Contains(",\"critical\":\"true\"", json, StringComparison.Ordinal);
        Assert.Contains(",\"ext\":\"1\"", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/vnd.x+json; charset=utf-8", "[1]", ",\"data\":[1]}")]
    [InlineData("text/plain", "é \"q\"\n", ",\"data\":\"é \\\"q\\\"\\n\"}")]
    [InlineData("text/csv; charset=utf-8", "a,b", ",\"data\":\"a,b\"}")]
    [InlineData("text/plain; charset=iso-8859-1", "ab", ",\"data_base64\":\"YWI=\"}")]
    [InlineData("application/octet-stream", "ab", ",\"data_base64\":\"YWI=\"}")]
    [InlineData("image/png", "abc", ",\"data_base64\":\"YWJj\"}")]
    public async Task Post_body_is_kept_by_its_media_type(string contentType, string body, string end)
    {
        var json = await PublishAsync(Encoding.UTF8.GetBytes(body), contentType, ("ce-type", "T"));

        Assert.EndsWith(end, json, StringComparison.Ordinal);
        Assert.Equal(contentType, JsonDocument.Parse(json).RootElement.GetProperty("datacontenttype").GetString());
    }

    [Fact]
    public async Task Post_without_body_has_no_data()
    {
        Assert.EndsWith(
            "\"datacontenttype\":\"application/json\"}", await PublishAsync([], null, ("ce-type", "T")), StringComparison.Ordinal);
        Assert.EndsWith(
            "\"datacontenttype\":\"text/plain\"}", await PublishAsync([], "text/plain", ("ce-type", "T")), StringComparison.Ordinal);
        Assert.EndsWith("\"datacontenttype\":\"application/octet-stream\",\"data_base64\":\"YQ==\"}", await PublishAsync("a"u8.ToArray(), null, ("ce-type", "T")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_idempotency_key_stands_for_the_id()
    {
        var json = await PublishAsync([], null, ("ce-type", "T"), ("Idempotency-Key", "k"));

        Assert.Contains("\"id\":\"k\"", json, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_bad_attributes_are_refused()
    {
        async Task Refused(string field, params (string, string)[] headers) =>
            (await _publisher.PostAsync(PublisherHost.NewStream(), "1", "application/json", headers: headers))
                .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField(field);

        await Refused("type", ("ce-id", "1"));
        await Refused("type", ("ce-type", "stream.x"));
        await Refused("time", ("ce-type", "T"), ("ce-time", "now"));
        await Refused("specversion", ("ce-type", "T"), ("ce-specversion", "0.3"));
        await Refused("position", ("ce-type", "T"), ("ce-position", "1-1"));
        await Refused("datacontenttype", ("ce-type", "T"), ("ce-datacontenttype", "text/plain"));
        await Refused("data", ("ce-type", "T"), ("ce-data", "x"));
        await Refused("a_b", ("ce-type", "T"), ("ce-a_b", "x"));
        (await _publisher.PostAsync(PublisherHost.NewStream(), "{", "application/json", headers: ("ce-type", "T")))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("data");
        (await _publisher.PostAsync(PublisherHost.NewStream(), [0xff], "text/plain; charset=utf-8", headers: ("ce-type", "T")))
            .ShouldBe(HttpStatusCode.BadRequest, "invalid-event").WithField("data");
    }

    private async Task<string> PublishAsync(byte[] body, string? contentType, params (string, string)[] headers)
    {
        var stream = PublisherHost.NewStream("binary");
        (await _publisher.PostAsync(stream, body, contentType, headers: headers)).ShouldBeOk(1);
        return Assert.Single(await _publisher.ReadAsync(stream));
    }
}
