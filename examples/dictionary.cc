// Trains a dictionary on the lines of a file, records of one kind, keeps it in a file, and
// compresses another record with it and without:  dictionary RECORDS DICTIONARY RECORD
#include <smll/dictionary.h>
#include <smll/smll.h>

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: dictionary RECORDS DICTIONARY RECORD\n";
    return 2;
  }
  std::vector<std::string> records;
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) records.push_back(line);
  std::vector<smll::ByteView> samples;
  for (const std::string& record : records) {
    samples.emplace_back(reinterpret_cast<const std::uint8_t*>(record.data()), record.size());
  }

  smll::TrainOptions options;
  options.name = "examples";
  options.minutes = 0.2;  // how much is tried; the default is 2
  smll::TrainGain gain;
  smll::Dictionary::train(samples, options, smll::Model(), &gain).save(argv[2]);
  std::cout << "records held back from training: " << gain.bytes_without
            << " bytes without the dictionary, " << gain.bytes_with << " with it\n";

  smll::ModelOptions with;
  with.dictionary = smll::Dictionary::load(argv[2]);
  const std::string record = argv[3];
  const smll::Compressor plain, trained{smll::Model(with)};
  const smll::Bytes bytes = trained.compress(record);
  std::cout << "the record: " << record.size() << " bytes, compressed "
            << plain.compress(record).size() << ", with the dictionary " << bytes.size() << '\n';
  const smll::Bytes text = trained.decompress(bytes);  // needs the same dictionary
  std::cout << "restored: " << std::string(text.begin(), text.end()) << '\n';
} catch (const smll::Error& error) {
  std::cerr << "dictionary: " << error.what() << '\n';
  return 1;
}
