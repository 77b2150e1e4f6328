using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Http;

namespace AspireStreaming.StreamApi.Tests.Compression;

public sealed class CompressionTests(RedisFixture redis, SharedHost shared) : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });
    private readonly string _stream = TestLog.NewStream("zip");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static TimeSpan Patience => SseClient.Patience;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData(null, "Identity")]
    [InlineData("", "Identity")]
    [InlineData("deflate, zstd", "Identity")]
    [InlineData("gzip, deflate, br", "Brotli")]
    [InlineData("gzip", "Gzip")]
    [InlineData("br;q=0.5, gzip;q=0.8", "Gzip")]
    [InlineData("br;q=0, gzip;q=0", "Identity")]
    [InlineData("br;q=0, *", "Gzip")]
    [InlineData("*", "Brotli")]
    [InlineData("gzip;q=0.9, br;q=0.9", "Brotli")]
    [InlineData("identity, gzip;q=0.5", "Identity")]
    [InlineData(",;=", "Identity")]
    public void Choose_takes_what_the_client_likes_best(string? accept, string expected)
    {
        var request = new DefaultHttpContext().Request;
        request.Headers.AcceptEncoding = accept;

        Assert.Equal(expected, ContentCodings.Choose(request, ContentCoding.Brotli).ToString());
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Sse_each_batch_is_decodable_at_once_and_the_end_is_well_formed(string coding)
    {
        using var response = await OpenAsync(shared.Host, coding);
        Assert.Equal([coding], response.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
        await using var body = await response.Content.ReadAsStreamAsync(Cancelled);
        await using Stream decoded = coding == "br" ? new BrotliStream(body, CompressionMode.Decompress) : new GZipStream(body, CompressionMode.Decompress);
        using var reader = new StreamReader(decoded);
        await ReadUntilAsync(reader, "event: stream.caught-up");

        for (var number = 1; number <= 3; number++)
        {
            // Nothing comes after it before it was read: what a compressor kept back would never come.
            await shared.Log.AppendNumbersAsync(_stream, number, 1);
            await ReadUntilAsync(reader, string.Create(CultureInfo.InvariantCulture, $"\"data\":{number}}}"));
        }

        await shared.Log.AppendAsync(_stream, shared.Log.Event("WORKFLOW_COMPLETED"));
        await ReadUntilAsync(reader, "event: stream.end");
        Assert.Contains("WORKFLOW_COMPLETED", await reader.ReadToEndAsync(Cancelled).WaitAsync(Patience, TimeProvider.System, Cancelled), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Sse_is_the_same_as_without_and_much_smaller(string coding)
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1000);
        await shared.Log.AppendAsync(_stream, shared.Log.Event("WORKFLOW_COMPLETED"));

        var plain = await ReadAllAsync(null);
        var compressed = await ReadAllAsync(coding);

        Assert.Equal(Events(plain), Events(Decode(coding, compressed)));
        Assert.InRange(compressed.Length, 1, plain.Length / 4);

        async Task<byte[]> ReadAllAsync(string? accept)
        {
            using var response = await OpenAsync(shared.Host, accept);
            return await response.Content.ReadAsByteArrayAsync(Cancelled).WaitAsync(Patience, TimeProvider.System, Cancelled);
        }

        // The first frame has the connection's own retry time.
        static string Events(byte[] body) => Encoding.UTF8.GetString(body) is var text ? text[text.IndexOf("\n\n", StringComparison.Ordinal)..] : "";
    }

    [Theory]
    [InlineData(null)]
    [InlineData("br;q=0")]
    [InlineData("zstd")]
    public async Task Sse_not_asked_for_is_sent_as_it_is(string? accept)
    {
        using var response = await OpenAsync(shared.Host, accept);

        Assert.Empty(response.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Sse_beyond_the_limit_is_sent_as_it_is_until_a_place_is_free(string coding)
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Compression:MaxConnections=1");
        var compressor = host.Get<ResponseCompressor>();
        using (var first = await OpenAsync(host, coding))
        {
            Assert.Equal([coding], first.Content.Headers.ContentEncoding);
            using var second = await OpenAsync(host, coding);
            Assert.Empty(second.Content.Headers.ContentEncoding);
            Assert.Equal(1, compressor.Live);
        }

        await Eventually.TrueAsync(() => compressor.Live == 0, Patience, "the place is free", Cancelled);
        using var later = await OpenAsync(host, coding);
        Assert.Equal([coding], later.Content.Headers.ContentEncoding);
    }

    [Fact]
    public async Task Choice_where_the_client_has_none_is_the_cheaper_for_live_and_the_smaller_for_pages()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 10);
        using var sse = await OpenAsync(shared.Host, "gzip, deflate, br, zstd");
        using var page = await GetPageAsync(shared.Host, "gzip, deflate, br, zstd");

        Assert.Equal(["gzip"], sse.Content.Headers.ContentEncoding);
        Assert.Equal(["br"], page.Content.Headers.ContentEncoding);
    }

    [Fact]
    public async Task Option_turns_it_off()
    {
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Compression:Enabled=false", "--Compression:MinPageBytes=0");
        using var sse = await OpenAsync(host, "br");
        using var page = await GetPageAsync(host, "br");

        Assert.Empty(sse.Content.Headers.ContentEncoding);
        Assert.Empty(page.Content.Headers.ContentEncoding);
        Assert.Empty(page.Headers.Vary);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Page_is_the_same_as_without(string coding)
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 300);
        using var plain = await GetPageAsync(shared.Host, null);
        using var compressed = await GetPageAsync(shared.Host, coding);
        var expected = await plain.Content.ReadAsByteArrayAsync(Cancelled);
        var body = await compressed.Content.ReadAsByteArrayAsync(Cancelled);

        Assert.Equal([coding], compressed.Content.Headers.ContentEncoding);
        Assert.Equal("application/json", compressed.Content.Headers.ContentType?.MediaType);
        Assert.Equal(expected, Decode(coding, body));
        Assert.InRange(body.Length, 1, expected.Length / 4);
    }

    [Fact]
    public async Task Page_that_is_small_is_sent_as_it_is()
    {
        await shared.Log.AppendNumbersAsync(_stream, 1, 1);
        using var page = await GetPageAsync(shared.Host, "br, gzip");

        Assert.Empty(page.Content.Headers.ContentEncoding);
        Assert.Contains("Accept-Encoding", page.Headers.Vary);
    }

    private static byte[] Decode(string coding, byte[] body)
    {
        using var source = new MemoryStream(body);
        using Stream decoded = coding == "br" ? new BrotliStream(source, CompressionMode.Decompress) : new GZipStream(source, CompressionMode.Decompress);
        using var target = new MemoryStream();
        decoded.CopyTo(target);
        return target.ToArray();
    }

    private static async Task ReadUntilAsync(StreamReader reader, string text)
    {
        while (true)
        {
            var line = await reader.ReadLineAsync(Cancelled).AsTask().WaitAsync(Patience, TimeProvider.System, Cancelled);
            Assert.NotNull(line);
            if (line.Contains(text, StringComparison.Ordinal))
            {
                return;
            }
        }
    }

    private Task<HttpResponseMessage> OpenAsync(StreamApiHost host, string? accept) =>
        SendAsync(new Uri(host.Http, $"/streams/{_stream}/events"), "text/event-stream", accept);

    private Task<HttpResponseMessage> GetPageAsync(StreamApiHost host, string? accept) =>
        SendAsync(new Uri(host.Http, $"/streams/{_stream}/events?limit=1000"), "application/json", accept);

    private async Task<HttpResponseMessage> SendAsync(Uri url, string mediaType, string? accept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(mediaType));
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        }

        var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled).WaitAsync(Patience, TimeProvider.System, Cancelled);
        response.EnsureSuccessStatusCode();
        return response;
    }
}
