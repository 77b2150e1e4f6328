using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Net.Compression;

namespace AspireStreaming.CompressionCost;

/// <summary>The same events as gRPC messages, each compressed by itself as gRPC does it.</summary>
internal static class GrpcMessages
{
    private static readonly GzipCompressionProvider Gzip = new(CompressionLevel.Fastest);

    /// <summary>Prints a row for each size: what gzip saves, and what it costs the sender and the receiver.</summary>
    public static void Print(int count)
    {
        Console.WriteLine("| gRPC message, bytes | gzip: sent, % | CPU to compress, µs | CPU to expand, µs |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var dataBytes in (int[])[10, 200, 600, 1_000, 4_000, 16_000])
        {
            byte[][] messages = [.. SampleFrames.Create(count, dataBytes).Select(ToMessage)];
            byte[][] compressed = [.. messages.Select(Compress)];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {messages.Average(message => message.Length):0} | {100 * compressed.Average(message => message.Length) / messages.Average(message => message.Length):0} | {Cost(messages, message => Compress(message).Length):0.0} | {Cost(compressed, Expand):0.0} |"));
        }
    }

    private static double Cost(byte[][] messages, Func<byte[], int> work) => Enumerable.Range(0, 5).Min(_ =>
    {
        var start = Environment.CpuUsage.TotalTime;
        foreach (var message in messages)
        {
            work(message);
        }

        return (Environment.CpuUsage.TotalTime - start).TotalMicroseconds / messages.Length;
    });

    private static byte[] ToMessage(byte[] frame)
    {
        var text = System.Text.Encoding.UTF8.GetString(frame);
        using var json = JsonDocument.Parse(text[(text.IndexOf("data: ", StringComparison.Ordinal) + "data: ".Length)..]);
        var root = json.RootElement;
        return new AspireStreaming.V1.Delivery
        {
            Event = new Event
            {
                Id = root.GetProperty("id").GetString(),
                Source = root.GetProperty("source").GetString(),
                Type = root.GetProperty("type").GetString(),
                Time = root.GetProperty("time").GetString(),
                Datacontenttype = root.GetProperty("datacontenttype").GetString(),
                Data = ByteString.CopyFromUtf8(root.GetProperty("data").GetRawText()),
                Stream = root.GetProperty("stream").GetString(),
                Position = root.GetProperty("position").GetString(),
                Sequence = root.GetProperty("sequence").GetInt64(),
                Recordedtime = root.GetProperty("recordedtime").GetString(),
            },
        }.ToByteArray();
    }

    private static byte[] Compress(byte[] message)
    {
        using var output = new MemoryStream(message.Length);
        using (var gzip = Gzip.CreateCompressionStream(output, CompressionLevel.Fastest))
        {
            gzip.Write(message);
        }

        return output.ToArray();
    }

    private static int Expand(byte[] message)
    {
        using var input = new MemoryStream(message);
        using var gzip = Gzip.CreateDecompressionStream(input);
        using var output = new MemoryStream();
        gzip.CopyTo(output);
        return (int)output.Length;
    }
}
