using System.Collections;
using System.Globalization;
using System.Text;

namespace AspireStreaming.ServiceDefaults.Metrics;

/// <summary>Writes the lines of the text exposition format 0.0.4.</summary>
internal sealed class PrometheusTextWriter(int capacity)
{
    private readonly StringBuilder _text = new(capacity);

    public void WriteHeader(string name, PrometheusType type, string? help)
    {
        if (!string.IsNullOrEmpty(help))
        {
            _text.Append("# HELP ").Append(name).Append(' ');
            AppendEscaped(help, escapeQuotes: false);
            _text.Append('\n');
        }

        _text.Append("# TYPE ").Append(name).Append(' ').Append(type switch
        {
            PrometheusType.Counter => "counter",
            PrometheusType.Histogram => "histogram",
            _ => "gauge",
        }).Append('\n');
    }

    /// <param name="name">Name of the metric, with any suffix.</param>
    /// <param name="labels">Labels as <see cref="FormatLabels"/> made them.</param>
    /// <param name="bound">Upper bound of a histogram's bucket.</param>
    /// <param name="value">Value of the sample.</param>
    public void WriteSample(string name, string labels, double? bound, double value)
    {
        StartSample(name, labels, bound);
        _text.Append(Format(value)).Append('\n');
    }

    /// <summary>As with a double, for a count that a double could not hold exactly.</summary>
    public void WriteSample(string name, string labels, double? bound, long value)
    {
        StartSample(name, labels, bound);
        _text.Append(CultureInfo.InvariantCulture, $"{value}").Append('\n');
    }

    /// <summary><c>a="b",c="d"</c>; values of keys that become the same label are joined by a semicolon.</summary>
    public static string FormatLabels(IEnumerable<KeyValuePair<string, object?>> tags)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in tags)
        {
            var label = PrometheusName.OfLabel(key);
            var text = FormatValue(value);
            labels[label] = labels.TryGetValue(label, out var other) ? $"{other};{text}" : text;
        }

        var writer = new PrometheusTextWriter(capacity: 64);
        foreach (var (label, value) in labels)
        {
            if (writer._text.Length > 0)
            {
                writer._text.Append(',');
            }

            writer._text.Append(label).Append("=\"");
            writer.AppendEscaped(value, escapeQuotes: true);
            writer._text.Append('"');
        }

        return writer._text.ToString();
    }

    public byte[] ToUtf8()
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(_text.Length)];
        var length = 0;
        foreach (var chunk in _text.GetChunks())
        {
            length += Encoding.UTF8.GetBytes(chunk.Span, bytes.AsSpan(length));
        }

        return bytes[..length];
    }

    private static string Format(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString(CultureInfo.InvariantCulture),
    };

    private static string FormatValue(object? value) => value switch
    {
        null => "",
        string text => text,
        bool flag => flag ? "true" : "false",
        double number => Format(number),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        IEnumerable items => $"[{string.Join(',', items.Cast<object?>().Select(FormatItem))}]",
        _ => value.ToString() ?? "",
    };

    private static string FormatItem(object? item) => item is string text ? $"\"{text}\"" : FormatValue(item);

    private void StartSample(string name, string labels, double? bound)
    {
        _text.Append(name);
        if (labels.Length > 0 || bound is not null)
        {
            _text.Append('{').Append(labels);
            if (bound is { } le)
            {
                _text.Append(labels.Length > 0 ? "," : "").Append("le=\"").Append(Format(le)).Append('"');
            }

            _text.Append('}');
        }

        _text.Append(' ');
    }

    private void AppendEscaped(string text, bool escapeQuotes)
    {
        foreach (var character in text)
        {
            switch (character)
            {
                case '\\':
                    _text.Append(@"\\");
                    break;
                case '\n':
                    _text.Append(@"\n");
                    break;
                case '"' when escapeQuotes:
                    _text.Append("\\\"");
                    break;
                default:
                    _text.Append(character);
                    break;
            }
        }
    }
}
