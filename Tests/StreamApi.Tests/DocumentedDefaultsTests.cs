using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.PublisherApi;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests;

/// <summary>What the documentation says of an option is what the service does when nobody sets it.</summary>
public sealed partial class DocumentedDefaultsTests
{
    private static readonly Dictionary<string, double> Units = new(StringComparer.Ordinal)
    {
        ["KiB"] = 1 << 10,
        ["MiB"] = 1 << 20,
        ["GiB"] = 1 << 30,
        ["ms"] = 0.001,
        ["s"] = 1,
        ["min"] = 60,
        ["minute"] = 60,
        ["minutes"] = 60,
        ["h"] = 3_600,
        ["hour"] = 3_600,
        ["hours"] = 3_600,
        ["day"] = 86_400,
        ["days"] = 86_400,
        ["years"] = 365 * 86_400,
    };

    /// <summary>All options, by their section.</summary>
    private static readonly Dictionary<string, Type> Sections = new[]
        {
            typeof(StreamApiApp), typeof(PublisherOptions), typeof(ArchiverOptions), typeof(HotLogOptions), typeof(AuthOptions),
        }
        .SelectMany(type => type.Assembly.GetTypes())
        .Where(type => type is { IsClass: true, IsAbstract: false } && type.GetField("SectionName")?.IsLiteral == true)
        .ToDictionary(type => (string)type.GetField("SectionName")!.GetRawConstantValue()!, StringComparer.Ordinal);

    /// <summary>The options whose meaning, unit, default and range stand beside each property.</summary>
    public static TheoryData<string> Options => [.. Sections.Values.Append(typeof(JwtOptions)).Select(type => type.AssemblyQualifiedName!)];

    [Theory]
    [MemberData(nameof(Options))]
    public void Summary_of_an_option_names_its_default_and_its_range(string name)
    {
        var type = Type.GetType(name, throwOnError: true)!;
        var options = Activator.CreateInstance(type)!;
        var summaries = XDocument.Load(Path.ChangeExtension(type.Assembly.Location, ".xml")).Descendants("member")
            .ToDictionary(member => member.Attribute("name")!.Value, member => Spaces().Replace(member.Value, " "), StringComparer.Ordinal);

        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(IsSetting))
        {
            var summary = summaries[$"P:{type.FullName}.{property.Name}"];
            var actual = property.GetValue(options);
            var said = Default().Match(summary);
            if (said.Success)
            {
                Assert.True(Same(said.Groups[1].Value, actual), $"{type.Name}.{property.Name} is {actual}, and its summary says: {summary}");
            }
            else
            {
                Assert.True(IsNothing(actual) || actual is true or IEnumerable, $"{type.Name}.{property.Name} is {actual}, and its summary names no default.");
            }

            if (Range().Match(summary) is { Success: true } range && property.GetCustomAttribute<RangeAttribute>() is { } allowed)
            {
                var unit = range.Groups[4].Value;
                Assert.True(
                    Same($"{range.Groups[1].Value} {(range.Groups[2].Success ? range.Groups[2].Value : unit)}", Bound(allowed.Minimum))
                    && Same($"{range.Groups[3].Value} {unit}", Bound(allowed.Maximum)),
                    $"{type.Name}.{property.Name} may be {allowed.Minimum} to {allowed.Maximum}, and its summary says: {summary}");
            }
        }
    }

    [Fact]
    public void Tables_of_the_operations_manual_name_the_defaults()
    {
        var text = File.ReadAllLines(Path.Combine(RepositoryPaths.Root, "docs", "operations.md"));
        var compared = 0;
        foreach (var row in text.SkipWhile(line => !line.StartsWith("| Setting | Default |", StringComparison.Ordinal)))
        {
            var cells = row.Split('|', StringSplitOptions.TrimEntries);
            var names = cells.Length > 3 ? Code().Matches(cells[1]).Select(match => match.Groups[1].Value).ToArray() : [];
            if (names.Length == 0 || !names[0].Contains(':') || SectionOf(names[0]) is not { } section)
            {
                continue;
            }

            var defaults = Separator().Split(cells[2]);
            Assert.True(names.Length == defaults.Length, $"As many defaults as settings: {row}");
            foreach (var (name, said) in names.Zip(defaults))
            {
                var property = section.Type.GetProperty(name[(name.LastIndexOf(':') + 1)..]);
                Assert.True(property is not null, $"There is no setting {name}: {row}");
                var actual = property.GetValue(Activator.CreateInstance(section.Type));

                // A share of the machine is computed where it is used.
                Assert.True(said.Contains("% of", StringComparison.Ordinal) ? IsNothing(actual) : Same(said, actual), $"{name} is {actual}: {row}");
                compared++;
            }
        }

        Assert.True(compared > 40, $"Only {compared} settings were found in the tables.");
    }

    /// <summary>Groups of settings have properties that are settings.</summary>
    private static bool IsSetting(PropertyInfo property) => property is { CanRead: true, SetMethod.IsPublic: true } && property.PropertyType != typeof(JwtOptions);

    private static (string Name, Type Type)? SectionOf(string setting) =>
        Sections.TryGetValue(setting[..setting.LastIndexOf(':')], out var type) ? (setting, type) : null;

    private static object? Bound(object bound) => bound is string text ? TimeSpan.Parse(text, CultureInfo.InvariantCulture) : bound;

    private static bool IsNothing(object? value) => value is null or false or "" or 0 or 0L or 0d or ICollection { Count: 0 };

    private static bool Same(string said, object? actual)
    {
        if (actual is bool flag)
        {
            return said.StartsWith(flag ? "true" : "false", StringComparison.Ordinal);
        }

        if (Number().Match(said) is not { Success: true } number)
        {
            return IsNothing(actual);
        }

        var value = double.Parse(number.Groups[1].Value, NumberStyles.Number, CultureInfo.InvariantCulture)
            * Units.GetValueOrDefault(number.Groups[2].Value, 1);
        var held = actual is TimeSpan time ? time.TotalSeconds : Convert.ToDouble(actual, CultureInfo.InvariantCulture);
        return Math.Abs(value - held) <= 1e-9 * Math.Abs(value);
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"\b[Dd]efault:? ((?:\d[\d.,]*\d|\d)(?: [A-Za-z]+)?|true|false|null|none|anything|normal)")]
    private static partial Regex Default();

    [GeneratedRegex(@"(\d[\d.,]*\d|\d)(?: (KiB|MiB|GiB|ms|s|minutes?|hours?|days?|years))?(?: \([^)]*\))? to (\d[\d.,]*\d|\d)(?: (KiB|MiB|GiB|ms|s|min|minutes?|hours?|days?|years))?\b[^.]*?default")]
    private static partial Regex Range();

    [GeneratedRegex(@"^(\d[\d.,]*\d|\d)\s*([A-Za-z]*)")]
    private static partial Regex Number();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("[;,] ")]
    private static partial Regex Separator();
}
