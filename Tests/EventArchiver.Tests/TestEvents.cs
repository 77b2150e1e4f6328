using System.Globalization;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>Events as the publisher builds them.</summary>
internal static class TestEvents
{
    public static EventFrame Frame(
        string id, string type = "STEP", EventFlags flags = EventFlags.None, string source = "/t", string data = "{\"n\":1}")
    {
        var json = string.Create(
            CultureInfo.InvariantCulture,
            $"\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"{source}\",\"type\":\"{type}\",\"time\":\"2026-01-31T23:59:59.999Z\",\"datacontenttype\":\"application/json\",\"data\":{data}}}");
        return new EventFrame(EventFrame.Encode(type, flags, Encoding.UTF8.GetBytes(json)));
    }

    public static AppendEvent Append(string id, string type = "STEP", EventFlags flags = EventFlags.None, string data = "{\"n\":1}") =>
        new("/t", id, false, type, flags, Frame(id, type, flags, data: data).Bytes.ToArray());

    /// <summary>An entry of an archive log, with consecutive events from a position on.</summary>
    public static ArchiveLogEntry Entry(
        StreamPosition id, string stream, StreamPosition first, long recordedAt, StreamPosition? previous, params EventFrame[] frames)
    {
        var bytes = frames.SelectMany(frame => frame.Bytes.ToArray()).ToArray();
        return new ArchiveLogEntry(
            id, ArchiveLogKind.Append, stream, new LogBatch(first, recordedAt, previous, frames.Length, bytes), false, bytes.Length + stream.Length + 100);
    }

    public static ArchiveLogEntry Delete(StreamPosition id, string stream, StreamPosition last, long recordedAt, bool fromArchive) =>
        new(id, ArchiveLogKind.Delete, stream, new LogBatch(last, recordedAt, null, 0, default), fromArchive, stream.Length + 100);
}
