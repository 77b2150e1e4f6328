using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.PublisherApi.Tests.Http;

/// <summary>
/// An NDJSON upload over a bare HTTP/1.1 connection whose body does not end: HttpClient reads no answer before it has sent all.
/// </summary>
internal sealed class OpenUpload : IDisposable
{
    private readonly TcpClient _client = new();

    public static async Task<OpenUpload> StartAsync(PublisherHost publisher, string stream, string lines, string? token = null)
    {
        var cancel = TestContext.Current.CancellationToken;
        var upload = new OpenUpload();
        var address = publisher.Http.BaseAddress!;
        await upload._client.ConnectAsync(address.Host, address.Port, cancel);
        var head = $"POST /streams/{stream}/events HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
            + (token is null ? "" : $"Authorization: Bearer {token}\r\n") + "\r\n";
        var chunk = string.Create(CultureInfo.InvariantCulture, $"{lines.Length:x}\r\n{lines}\r\n");
        await upload._client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head + chunk), cancel);
        return upload;
    }

    public async Task<Answer> ReadAnswerAsync()
    {
        var cancel = TestContext.Current.CancellationToken;
        using var reader = new StreamReader(_client.GetStream(), Encoding.UTF8, leaveOpen: true);
        var status = (await reader.ReadLineAsync(cancel))!.Split(' ')[1];
        string? contentType = null;
        TimeSpan? retryAfter = null;
        var length = 0;
        while (await reader.ReadLineAsync(cancel) is { Length: > 0 } header)
        {
            var value = header[(header.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
            switch (header[..header.IndexOf(':', StringComparison.Ordinal)].ToLowerInvariant())
            {
                case "content-type":
                    contentType = value;
                    break;
                case "content-length":
                    length = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                case "retry-after":
                    retryAfter = TimeSpan.FromSeconds(int.Parse(value, CultureInfo.InvariantCulture));
                    break;
                default:
                    break;
            }
        }

        var body = new char[length];
        var read = await reader.ReadBlockAsync(body, cancel);
        return new Answer(
            (HttpStatusCode)int.Parse(status, CultureInfo.InvariantCulture), contentType, retryAfter, new string(body, 0, read));
    }

    public void Dispose() => _client.Dispose();
}
