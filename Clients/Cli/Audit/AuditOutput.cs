using System.Text.Json;
using AspireStreaming.Client;
using Spectre.Console;

namespace AspireStreaming.Cli.Audit;

/// <summary>Shows a report to people or programs.</summary>
internal static class AuditOutput
{
    /// <summary>More holes of a stream than this are only counted for people.</summary>
    private const int MaxHolesShown = 20;

    /// <summary>More streams than this are only counted for people.</summary>
    private const int MaxStreamsShown = 50;

    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    public static void WriteText(AuditReport report, CliHost host)
    {
        if (report.Listed.Count > 0)
        {
            WriteTable(report, host);
        }

        foreach (var audit in report.Listed.Take(MaxStreamsShown))
        {
            foreach (var hole in audit.Holes.Take(MaxHolesShown))
            {
                var missed = hole.Missed is { } count ? $"{count:N0} missing" : "an unknown number missing";
                host.Out.WriteLine($"{host.Paint(host.OutputIsTerminal, "31", "hole")} {audit.Stream} {hole.From}..{hole.To}: {missed}");
            }

            var shown = Math.Min(audit.Holes.Count, MaxHolesShown);
            if (audit.HoleCount > shown)
            {
                host.Out.WriteLine($"hole {audit.Stream}: {audit.HoleCount - shown:N0} more");
            }
        }

        foreach (var (stream, reason) in report.NotAudited.Take(MaxStreamsShown))
        {
            host.Out.WriteLine($"{host.Paint(host.OutputIsTerminal, "31", "not audited")} {stream}: {reason}");
        }

        WriteMore(report, host);
        WriteSummary(report, host);
    }

    public static void WriteJson(AuditReport report, CliHost host)
    {
        using (var writer = new Utf8JsonWriter(host.Output, Indented))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("ok", report.IsWell);
            writer.WriteNumber("streams", report.Streams);
            writer.WriteNumber("streamsWithFindings", report.StreamsWithFindings);
            writer.WriteNumber("events", report.Events);
            writer.WriteNumber("dead", report.Dead);
            writer.WriteNumber("holes", report.Holes);
            writer.WriteNumber("duplicates", report.Duplicates);
            writer.WriteNumber("repeatedIds", report.RepeatedIds);
            writer.WriteNumber("trimmed", report.Trimmed);
            writer.WriteNumber("behind", report.Behind);
            writer.WriteStartArray("audits");
            foreach (var audit in report.Listed)
            {
                WriteAudit(writer, audit);
            }

            writer.WriteEndArray();
            writer.WriteStartArray("notAudited");
            foreach (var (stream, reason) in report.NotAudited)
            {
                writer.WriteStartObject();
                writer.WriteString("stream", stream);
                writer.WriteString("reason", reason);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        host.Out.WriteLine();
    }

    private static void WriteTable(AuditReport report, CliHost host)
    {
        var table = new Table { Border = host.OutputIsTerminal ? TableBorder.Rounded : TableBorder.Ascii };
        table.AddColumn("stream");
        foreach (var column in new[] { "events", "epochs", "first", "last", "holes", "missing", "doubled", "repeated ids" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var audit in report.Listed.Take(MaxStreamsShown))
        {
            table.AddRow(
                Markup.Escape(audit.Stream),
                $"{audit.Events:N0}",
                $"{audit.Epochs:N0}",
                Text(audit.First),
                Text(audit.Last),
                $"{audit.HoleCount:N0}",
                Missing(audit),
                $"{audit.Duplicates:N0}",
                $"{audit.RepeatedIds:N0}");
        }

        host.CreateConsole(host.Out, host.OutputIsTerminal).Write(table);
    }

    private static void WriteMore(AuditReport report, CliHost host)
    {
        var findings = report.StreamsWithFindings - Math.Min(report.Listed.Count, MaxStreamsShown);
        if (findings > 0)
        {
            host.Out.WriteLine($"{findings:N0} more streams with findings");
        }

        if (report.NotAuditedCount > MaxStreamsShown)
        {
            host.Out.WriteLine($"{report.NotAuditedCount - MaxStreamsShown:N0} more streams not audited");
        }
    }

    private static void WriteSummary(AuditReport report, CliHost host)
    {
        var notes = new List<string>();
        if (report.Dead > 0)
        {
            notes.Add($"{Count(report.Dead, "event")} refused by the archive, in dead_events");
        }

        if (report.Trimmed > 0)
        {
            notes.Add($"{Count(report.Trimmed, "stream")} trimmed by retention");
        }

        if (report.Behind > 0)
        {
            notes.Add($"{Count(report.Behind, "stream")} not archived to the end yet");
        }

        foreach (var note in notes)
        {
            host.Out.WriteLine(note);
        }

        var audited = $"{Count(report.Streams, "stream")}, {Count(report.Events, "event")}";
        host.Out.WriteLine(report.IsWell
            ? host.Paint(host.OutputIsTerminal, "32", $"All well: {audited}.")
            : host.Paint(
                host.OutputIsTerminal,
                "31",
                $"Audit failed: {audited}: {Count(report.Holes, "hole")}, {Count(report.Duplicates, "doubled position")}, "
                    + $"{Count(report.RepeatedIds, "repeated id")}, {Count(report.NotAuditedCount, "stream")} not audited."));
    }

    private static void WriteAudit(Utf8JsonWriter writer, StreamAudit audit)
    {
        writer.WriteStartObject();
        writer.WriteString("stream", audit.Stream);
        writer.WriteNumber("events", audit.Events);
        writer.WriteNumber("dead", audit.Dead);
        writer.WriteNumber("epochs", audit.Epochs);
        writer.WriteString("first", audit.First?.ToString());
        writer.WriteString("last", audit.Last?.ToString());
        writer.WriteStartArray("holes");
        foreach (var hole in audit.Holes)
        {
            writer.WriteStartObject();
            writer.WriteString("from", hole.From.ToString());
            writer.WriteString("to", hole.To.ToString());
            if (hole.Missed is { } missed)
            {
                writer.WriteNumber("missed", missed);
            }
            else
            {
                writer.WriteNull("missed");
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteNumber("holeCount", audit.HoleCount);
        writer.WriteNumber("duplicates", audit.Duplicates);
        writer.WriteNumber("repeatedIds", audit.RepeatedIds);
        writer.WriteBoolean("trimmed", audit.Trimmed);
        writer.WriteString("archivedTo", audit.ArchivedTo?.ToString());
        writer.WriteString("hotLast", audit.HotLast?.ToString());
        writer.WriteEndObject();
    }

    /// <summary>What is known to be missing; more where a hole's size is unknown or a hole is not listed.</summary>
    private static string Missing(StreamAudit audit)
    {
        var unknown = audit.HoleCount > audit.Holes.Count || audit.Holes.Any(static hole => hole.Missed is null);
        return !unknown ? $"{audit.Missed:N0}" : audit.Missed == 0 ? "?" : $"{audit.Missed:N0}+";
    }

    private static string Text(StreamPosition? position) => position?.ToString() ?? "-";

    private static string Count(long count, string thing) => $"{count:N0} {thing}{(count == 1 ? "" : "s")}";
}
