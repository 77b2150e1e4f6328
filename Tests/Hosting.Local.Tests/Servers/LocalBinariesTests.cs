using Aspire.Hosting;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Servers;

public sealed class LocalBinariesTests
{
    [Theory]
    [InlineData("redis-server")]
    [InlineData("postgres")]
    [InlineData("initdb")]
    public void Find_gives_a_program(string name) => Assert.True(File.Exists(LocalBinaries.Find(name)));

    [Fact]
    public void Find_looks_on_PATH_first_and_only_for_executables()
    {
        var folder = DataFolders.Temporary("binaries", null);
        var file = Path.Combine(folder, "redis-server");
        File.WriteAllText(file, "");
        Assert.NotEqual(file, LocalBinaries.Find("redis-server", folder));

        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.Equal(file, LocalBinaries.Find("redis-server", $"relative:/no/such/folder:{folder}"));

        DataFolders.Delete(folder);
    }

    [Theory]
    [InlineData("redis-server", "sudo apt-get install -y redis-server", "brew install redis")]
    [InlineData("postgres", "sudo apt-get install -y postgresql", "brew install postgresql")]
    public void Missing_text_names_the_program_and_how_to_install_it(string name, string debian, string homebrew)
    {
        var text = LocalBinaries.MissingText(name);

        Assert.Contains($"'{name}'", text);
        Assert.Contains(debian, text);
        Assert.Contains("sudo dnf install -y", text);
        Assert.Contains(homebrew, text);
    }

    [Fact]
    public void Find_of_a_missing_program_throws_that_text() =>
        Assert.Equal(
            LocalBinaries.MissingText("no-such-program"),
            Assert.Throws<DistributedApplicationException>(() => LocalBinaries.Find("no-such-program")).Message);
}
