using System.Net;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class DeleteTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    [Theory]
    [InlineData("")]
    [InlineData("?archive=false")]
    [InlineData("?archive=true")]
    public async Task Delete_known_stream_is_gone_once(string query)
    {
        var stream = PublisherHost.NewStream("delete");
        var before = (await _publisher.PostAsync(stream, """{"type":"STREAM_END","id":"1"}""")).ShouldBeOk(1);

        (await _publisher.DeleteAsync($"/streams/{stream}{query}")).ShouldBe(HttpStatusCode.NoContent);
        Assert.Empty(await _publisher.ReadAsync(stream));
        (await _publisher.DeleteAsync($"/streams/{stream}{query}")).ShouldBe(HttpStatusCode.NotFound, "stream-unknown");

        // It starts anew: not ended, nothing known, and its positions are later ones.
        var after = (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""", query: "?expected=0-0")).ShouldBeOk(1);
        Assert.True(after.First > before.First);
        Assert.Equal(1, after.First.Sequence);
    }

    [Fact]
    public async Task Delete_refusals()
    {
        (await _publisher.DeleteAsync($"/streams/{PublisherHost.NewStream("delete")}")).ShouldBe(HttpStatusCode.NotFound, "stream-unknown");
        (await _publisher.DeleteAsync("/streams/a%20b")).ShouldBe(HttpStatusCode.BadRequest, "invalid-stream").WithField("stream");
        (await _publisher.DeleteAsync("/streams/a?archive=maybe")).ShouldBe(HttpStatusCode.BadRequest, "invalid-parameter").WithField("archive");
    }

    [Fact]
    public async Task Delete_says_503_when_only_the_archive_could_know()
    {
        await using var blind = await PublisherHost.StartAsync(
            servers.Redis, "Host=127.0.0.1;Port=1;Username=x;Password=x;Database=x;Timeout=1");
        var stream = PublisherHost.NewStream("delete");

        var answer = (await blind.DeleteAsync($"/streams/{stream}")).ShouldBe(HttpStatusCode.ServiceUnavailable, "archive-unavailable");
        Assert.NotNull(answer.RetryAfter);

        // An append goes on without, and says so.
        var append = (await blind.PostAsync(stream, """{"type":"T"}""")).ShouldBeOk(1);
        Assert.Equal("partial", append.Json.GetProperty("idempotency").GetString());
        (await blind.DeleteAsync($"/streams/{stream}")).ShouldBe(HttpStatusCode.NoContent);
    }
}
